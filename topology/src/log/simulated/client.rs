//! One process: whether it lives, whether it is connected, and what is armed against it.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::fault::{Armed, Call, Crashed, Fault};
use crate::log::LogError;

/// One process.
pub(super) struct Client {
    name: String,
    crashed: AtomicBool,
    cut: AtomicBool,
    any_armed: AtomicBool,
    armed: Mutex<Vec<Armed>>,
    /// What went wrong so far, and at which call.
    fired: Mutex<Vec<(Call, String)>>,
}

impl Client {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            crashed: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            any_armed: AtomicBool::new(false),
            armed: Mutex::default(),
            fired: Mutex::default(),
        }
    }

    pub(super) fn arm(&self, armed: Armed) {
        self.armed.lock().push(armed);
        self.any_armed.store(true, Ordering::SeqCst);
    }

    pub(super) fn disarm(&self) {
        self.armed.lock().clear();
        self.any_armed.store(false, Ordering::SeqCst);
    }

    pub(super) fn take_fired(&self) -> Vec<(Call, String)> {
        std::mem::take(&mut self.fired.lock())
    }

    pub(super) fn crash(&self) {
        self.crashed.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_crashed(&self) -> bool {
        self.crashed.load(Ordering::SeqCst)
    }

    pub(super) fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    /// Whether its heartbeats arrive.
    pub(super) fn is_heard(&self) -> bool {
        !self.is_crashed() && !self.cut.load(Ordering::SeqCst)
    }

    /// A call begins. Returns the fault that the call itself has to play out.
    pub(super) fn enter(&self, call: Call) -> Result<Option<Fault>, LogError> {
        if self.is_crashed() {
            resume_unwind(Box::new(Crashed));
        }
        let fault = self.due(call);
        let fault = match fault {
            Some(Fault::CrashBefore) => self.die(),
            Some(Fault::Unavailable) => return Err(self.unavailable()),
            Some(Fault::Meanwhile(run)) => {
                run();
                None
            }
            other => other,
        };
        let needs_network = call != Call::Store;
        if needs_network && self.cut.load(Ordering::SeqCst) {
            return Err(self.unavailable());
        }
        Ok(fault)
    }

    /// A call has had its effect.
    pub(super) fn leave(&self, fault: Option<&Fault>) {
        if matches!(fault, Some(Fault::CrashAfter)) {
            self.die();
        }
    }

    fn due(&self, call: Call) -> Option<Fault> {
        if !self.any_armed.load(Ordering::SeqCst) {
            return None;
        }
        let mut armed = self.armed.lock();
        let at = armed.iter_mut().position(|armed| armed.meets(call))?;
        let fault = armed.remove(at).fault;
        self.any_armed.store(!armed.is_empty(), Ordering::SeqCst);
        self.fired.lock().push((call, format!("{fault:?}")));
        Some(fault)
    }

    fn die(&self) -> ! {
        self.crash();
        // Not a panic: nothing is printed, and the driver of the run catches it.
        resume_unwind(Box::new(Crashed))
    }

    fn unavailable(&self) -> LogError {
        LogError::Unavailable(format!("{} does not reach the brokers", self.name))
    }
}
