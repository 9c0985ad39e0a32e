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
    let checker = violation.checker;
    let breaks = |script: &Script| {
        let found = run(script, Wanted::default()).violation;
        found.is_some_and(|violation| violation.checker == checker)
    };
    shrink_by(script, outcome.played, breaks)
}

/// A shorter script that still breaks, of which only the first steps have been played.
fn shrink_by(script: &Script, played: usize, breaks: impl FnMut(&Script) -> bool) -> Script {
    let mut shrinker = Shrinker {
        breaks,
        runs: 0,
        best: script.clone(),
    };
    shrinker.attempt(script.steps.iter().take(played).cloned().collect());
    shrinker.chunks();
    shrinker.numbers();
    shrinker.best
}

struct Shrinker<B> {
    breaks: B,
    runs: usize,
    best: Script,
}

impl<B: FnMut(&Script) -> bool> Shrinker<B> {
    /// Takes the steps if they still break.
    fn attempt(&mut self, steps: Vec<Step>) -> bool {
        if self.runs >= MOST_RUNS {
            return false;
        }
        self.runs += 1;
        let script = Script {
            steps,
            ..self.best.clone()
        };
        let same = (self.breaks)(&script);
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
    fn numbers(&mut self) {
        for at in 0..self.best.steps.len() {
            let Some(simpler) = simpler(&self.best.steps[at]) else {
                continue;
            };
            let mut steps = self.best.steps.clone();
            steps[at] = simpler;
            self.attempt(steps);
        }
    }
}

/// The same step with a rounder number.
fn simpler(step: &Step) -> Option<Step> {
    if let Step::Wait(ms) = step {
        let digits = 10_i64.checked_pow(ms.checked_ilog10()?)?;
        return (*ms > 10).then(|| Step::Wait(ms - ms % digits));
    }
    if let Step::Turn {
        instance,
        thread,
        most,
    } = *step
        && most > 1
    {
        let most = most / 2;
        return Some(Step::Turn {
            instance,
            thread,
            most,
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_cut_down_to_the_steps_that_matter() {
        let script = crate::schedule::script(3);
        let is_send = |step: &Step| matches!(step, Step::Send(_));
        let is_long = |step: &Step| matches!(step, Step::Wait(ms) if *ms >= 700);
        let mut runs = 0;
        let shortest = shrink_by(&script, script.steps.len(), |script| {
            runs += 1;
            let first = script.steps.iter().position(is_send);
            first.is_some_and(|first| script.steps[first..].iter().any(is_long))
        });
        let [Step::Send(_), Step::Wait(ms)] = shortest.steps[..] else {
            panic!("{shortest}");
        };
        assert!(
            (700..10_000_000).contains(&ms) && runs <= MOST_RUNS,
            "{ms} in {runs}"
        );
    }
}
