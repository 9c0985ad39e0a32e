//! A thread of the generator, and the life of each of its connections.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use super::connection::Connection;
use super::plan::Plan;
use super::requests::Requests;
use super::schedule::Schedule;
use super::tally::Tally;
use super::{LoadError, Target};

/// Pause before a connection that was refused is tried again.
const RECONNECT: Duration = Duration::from_millis(10);

/// Runs `connections` connections to the end of the schedule.
pub(super) fn run(
    plan: &Plan,
    connections: usize,
    target: &Target,
    requests: &Arc<Requests>,
    schedule: &Arc<Schedule>,
) -> Result<Tally, LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| LoadError::Generator(error.to_string()))?;
    let tally = Rc::new(RefCell::new(Tally::new()?));
    let local = LocalSet::new();
    for _ in 0..connections {
        let life = Life {
            plan: plan.clone(),
            target: target.clone(),
            requests: Arc::clone(requests),
            schedule: Arc::clone(schedule),
            tally: Rc::clone(&tally),
        };
        local.spawn_local(life.live());
    }
    runtime.block_on(local);
    // Dropped with the runtime, tasks that panicked would still hold it.
    let tally = Rc::try_unwrap(tally);
    tally
        .map(RefCell::into_inner)
        .map_err(|_| LoadError::Generator("a connection's task did not end".to_owned()))
}

/// One connection, made anew when it breaks.
struct Life {
    plan: Plan,
    target: Target,
    requests: Arc<Requests>,
    schedule: Arc<Schedule>,
    tally: Rc<RefCell<Tally>>,
}

impl Life {
    async fn live(self) {
        let mut connection = None;
        tokio::time::sleep_until(self.schedule.begin().into()).await;
        while let Some(turn) = self.schedule.next(Instant::now()) {
            if let Some(due) = turn.due {
                // In steps of the timer's millisecond: up to one is added to a latency, and none
                // taken away.
                tokio::time::sleep_until(due.into()).await;
            }
            let began = turn.due.unwrap_or_else(Instant::now);
            let mut open = match connection.take() {
                Some(open) => open,
                None => match Connection::open(&self.target).await {
                    Ok(open) => open,
                    Err(lost) => {
                        self.tally.borrow_mut().lost(&self.schedule, began, lost);
                        tokio::time::sleep(RECONNECT).await;
                        continue;
                    }
                },
            };
            let request = self.requests.make(turn.index);
            let answer = open.exchange(request, self.plan.request_timeout).await;
            let mut tally = self.tally.borrow_mut();
            match answer {
                Ok(status) => {
                    tally.answered(&self.schedule, began, status.as_u16());
                    connection = Some(open);
                }
                Err(lost) => tally.lost(&self.schedule, began, lost),
            }
            drop(tally);
            self.plan.progress.fetch_add(1, Ordering::Relaxed);
        }
    }
}
