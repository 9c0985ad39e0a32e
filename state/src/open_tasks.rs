//! One owner per task: two open storages of a task in one process are refused.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::StateError;

/// The tasks of a database whose storage is open.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenTasks(Arc<Mutex<BTreeSet<String>>>);

/// A claim on a task, given back when dropped.
#[derive(Debug)]
pub(crate) struct OpenTask {
    task: String,
    tasks: OpenTasks,
}

impl OpenTasks {
    pub(crate) fn open(&self, task: &str) -> Result<OpenTask, StateError> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !names.insert(task.to_owned()) {
            return Err(StateError::TaskInUse {
                task: task.to_owned(),
            });
        }
        Ok(OpenTask {
            task: task.to_owned(),
            tasks: self.clone(),
        })
    }
}

impl OpenTask {
    #[cfg(feature = "rocksdb")]
    pub(crate) fn task(&self) -> &str {
        &self.task
    }
}

impl Drop for OpenTask {
    fn drop(&mut self) {
        self.tasks
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.task);
    }
}
