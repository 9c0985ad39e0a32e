//! Recovery: a task restored from its changelog is the task that wrote it.

use std::sync::Arc;

use proptest::prelude::*;
use stagedoor_state::{MemoryDatabase, StorageProvider as _, TaskState};

use super::harness::{CONCERT, OPENS_MS, Row, Task, hold};
use super::properties::{play, steps};
use crate::concert::queries::seat_map;
use crate::concert::records::CommandResult;
use crate::concert::stores::store_set;

fn restored(changelog: &[Row], bulk: bool) -> TaskState {
    let storage = MemoryDatabase::new().storage("0_0").unwrap();
    let mut state = TaskState::new(storage, Arc::new(store_set().unwrap())).unwrap();
    let mut rows = changelog
        .iter()
        .map(|(key, value)| (key.as_slice(), value.as_deref()));
    if bulk {
        state.restore_bulk(&mut rows, &[]).unwrap();
        state.rebuild_indexes().unwrap();
    } else {
        state.restore(&mut rows, &[]).unwrap();
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_restored_store_is_the_live_store(steps in steps(), every in 1..9_usize, bulk: bool) {
        let mut task = Task::on_sale();
        let mut count = 0;
        play(&steps, &mut task, |task, _, _, _| {
            count += 1;
            if count % every == 0 {
                task.commit();
            }
        });
        task.commit();
        let state = restored(&task.changelog, bulk);
        state.check_indexes().unwrap();
        prop_assert_eq!(state.digest(i64::MIN).unwrap(), task.state().digest(i64::MIN).unwrap());
        prop_assert_eq!(seat_map(&state, CONCERT).unwrap(), Some(task.seats()));
    }
}

#[test]
fn a_record_that_fails_half_way_leaves_nothing() {
    let mut task = Task::on_sale();
    task.commit();
    let before = task.digest();
    let savepoint = task.state().savepoint();
    let answer: CommandResult = task.play(OPENS_MS, &hold("u1", "k1", &["A-1-1", "B-1-1"]));
    assert!(answer.reservation.is_some());
    assert_ne!(task.digest(), before);
    task.state().rollback(savepoint);
    assert_eq!(task.digest(), before);
    task.commit();
    task.state().check_indexes().unwrap();
}
