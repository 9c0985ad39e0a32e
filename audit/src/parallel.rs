//! Work on several threads whose outcome is the same as on one.

use std::mem;
use std::panic::resume_unwind;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use stagedoor_topology::log::LogError;

use crate::error::AuditError;

/// Items that change threads together.
const BATCH: usize = 256;
/// Full batches that wait.
const BATCHES: usize = 8;

/// Does all of the work on at most so many threads, this one among them. The outcomes are in the
/// order of the items, whatever the order of the threads.
pub(crate) fn in_order<I: Send, O: Send>(
    threads: usize,
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> O + Sync,
) -> Vec<O> {
    let items: Vec<I> = items.into_iter().collect();
    let threads = threads.clamp(1, items.len().max(1));
    if threads == 1 {
        return items.into_iter().map(work).collect();
    }
    let next = Mutex::new(items.into_iter().enumerate());
    let take = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
    let some = || {
        let mut done = Vec::new();
        while let Some((place, item)) = take() {
            done.push((place, work(item)));
        }
        done
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(some)).collect();
        let mut done = some();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => resume_unwind(panic),
            }
        }
        done
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Is given items in order.
type Take<'t, T> = dyn FnMut(T) -> Result<(), AuditError> + 't;

/// Makes items on a thread of its own while this one takes them, a bounded number of them behind.
/// The first error ends both.
pub(crate) fn ahead<T: Send, O: Send>(
    make: impl FnOnce(&mut Take<'_, T>) -> Result<O, AuditError> + Send,
    take: &mut Take<'_, T>,
) -> Result<O, AuditError> {
    let (sender, receiver) = sync_channel::<Vec<T>>(BATCHES);
    std::thread::scope(move |scope| {
        let making = scope.spawn(move || {
            let mut items = Vec::with_capacity(BATCH);
            let made = make(&mut |item| {
                items.push(item);
                match items.len() < BATCH {
                    true => Ok(()),
                    false => send(&sender, &mut items),
                }
            })?;
            send(&sender, &mut items)?;
            Ok(made)
        });
        // Whoever leaves here drops the receiver, so that the other thread ends as well.
        for item in receiver.into_iter().flatten() {
            take(item)?;
        }
        let made = making.join();
        made.unwrap_or_else(|panic| resume_unwind(panic))
    })
}

fn send<T>(sender: &SyncSender<Vec<T>>, items: &mut Vec<T>) -> Result<(), AuditError> {
    let full = mem::replace(items, Vec::with_capacity(BATCH));
    // Whoever took them has left with an error of its own, and that is the one that is told.
    let left = |_| LogError::Refused("nobody looks at the rest".to_owned());
    Ok(sender.send(full).map_err(left)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> AuditError {
        LogError::Full.into()
    }

    #[test]
    fn outcomes_are_in_the_order_of_the_work_for_any_number_of_threads() {
        let expected: Vec<u32> = (0..20).map(|number| number * number).collect();
        for threads in [0, 1, 3, 50] {
            assert_eq!(in_order(threads, 0..20, |number| number * number), expected);
        }
        assert!(in_order(2, [], |none: u32| none).is_empty());
    }

    #[test]
    fn everything_that_is_made_ahead_is_taken_in_order() {
        let mut taken = Vec::new();
        let made = ahead(
            |show| {
                (0..10_000).try_for_each(&mut *show)?;
                Ok("done")
            },
            &mut |number| {
                taken.push(number);
                Ok(())
            },
        );
        assert_eq!(made.unwrap(), "done");
        assert_eq!(taken, (0..10_000).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_on_either_side_ends_both_and_is_the_one_that_is_told() {
        let taken = ahead(
            |show| (0_u64..).try_for_each(show),
            &mut |number| match number {
                5 => Err(broken()),
                _ => Ok(()),
            },
        );
        assert!(matches!(taken, Err(AuditError::Log(LogError::Full))));
        let made = ahead(|_| Err::<(), _>(broken()), &mut |_: u32| Ok(()));
        assert!(matches!(made, Err(AuditError::Log(LogError::Full))));
    }
}
