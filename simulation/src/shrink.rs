//! Cuts a failing script down to the few steps that matter (delta debugging, Zeller 1999).

use crate::run::{Outcome, Wanted, run};
use crate::script::{Script, Step};

/// Most runs that cutting down may take.
const MOST_RUNS: usize = 3_000;

/// A shorter script that breaks the same promise.
pub(crate) fn shrink(script: &Script, outcome: &Outcome) -> Script {
    let Some(violation) = &outcome.violation else {
        return script.clone();
    };
    let mut shrinker = Shrinker {
        checker: violation.checker,
        runs: 0,
        best: script.clone(),
    };
    let played: Vec<Step> = script.steps.iter().take(outcome.played).cloned().collect();
    shrinker.attempt(played);
    shrinker.chunks();
    shrinker.waits();
    shrinker.best
}

struct Shrinker {
    checker: &'static str,
    runs: usize,
    best: Script,
}

impl Shrinker {
    /// Takes the steps if they break the same promise.
    fn attempt(&mut self, steps: Vec<Step>) -> bool {
        if self.runs >= MOST_RUNS {
            return false;
        }
        self.runs += 1;
        let script = Script {
            steps,
            ..self.best.clone()
        };
        let found = run(&script, Wanted::default()).violation;
        let same = found.is_some_and(|violation| violation.checker == self.checker);
        if same {
            self.best = script;
        }
        same
    }

    /// Leaves out chunks, halving their size until single steps are left out.
    fn chunks(&mut self) {
        let mut size = self.best.steps.len().div_ceil(2).max(1);
        loop {
            let mut at = 0;
            let mut smaller = false;
            while at < self.best.steps.len() {
                let mut steps = self.best.steps.clone();
                steps.drain(at..(at + size).min(steps.len()));
                match self.attempt(steps) {
                    true => smaller = true,
                    false => at += size,
                }
            }
            if size == 1 && (!smaller || self.runs >= MOST_RUNS) {
                return;
            }
            size = if size == 1 { 1 } else { size.div_ceil(2) };
        }
    }

    /// Rounds waits and turns down, for readers.
    fn waits(&mut self) {
        for at in 0..self.best.steps.len() {
            let simpler = match &self.best.steps[at] {
                Step::Wait(ms) if *ms > 10 => Step::Wait(ms - ms % 10_i64.pow(ms.ilog10())),
                Step::Turn {
                    instance,
                    thread,
                    most,
                } if *most > 1 => Step::Turn {
                    instance: *instance,
                    thread: *thread,
                    most: most / 2,
                },
                _ => continue,
            };
            let mut steps = self.best.steps.clone();
            steps[at] = simpler;
            self.attempt(steps);
        }
    }
}
