//! One run: a script is played, mended, brought to rest and judged.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::judge::{LastOwners, Violation, audit};
use crate::script::Script;
use crate::world::World;

/// What is wanted of a run besides its verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// What happened, line by line.
    pub(crate) trace: bool,
    /// A digest of every byte of every topic.
    pub(crate) fingerprint: bool,
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The first broken promise.
    pub(crate) violation: Option<Violation>,
    /// How often what happened.
    pub(crate) counters: BTreeMap<String, u64>,
    pub(crate) trace: Vec<String>,
    /// Steps that were played before a promise was broken, or all.
    pub(crate) played: usize,
    pub(crate) fingerprint: Option<[u8; 32]>,
}

/// Plays a script to its end. A panic of the code under test is a broken promise too.
pub(crate) fn run(script: &Script, wanted: Wanted) -> Outcome {
    let world = match World::new(script.size, wanted.trace) {
        Ok(world) => world,
        Err(violation) => {
            return Outcome {
                violation: Some(violation),
                ..Outcome::default()
            };
        }
    };
    let mut steps = 0;
    let played = catch_unwind(AssertUnwindSafe(|| play(script, &world, &mut steps)));
    if let Err(panic) = played {
        let text = panic_text(panic.as_ref());
        // A panic may have left the judge locked only where the judge itself has panicked.
        if let Some(mut judge) = world.judge.try_lock() {
            judge.find(Violation::new("panic", text));
        }
    }
    let mut outcome = Outcome {
        counters: world.counters(),
        played: steps,
        fingerprint: wanted.fingerprint.then(|| fingerprint(&world)),
        ..Outcome::default()
    };
    let mut judge = world.judge.lock();
    outcome.violation = judge.violation.take();
    outcome.trace = judge.trace.take().unwrap_or_default();
    outcome
}

fn play(script: &Script, world: &Arc<World>, played: &mut usize) {
    for step in &script.steps {
        *played += 1;
        world.play(step);
        if is_broken(world) {
            return;
        }
    }
    world.heal();
    world.probe();
    world.converge();
    if is_broken(world) {
        return;
    }
    world.close();
    let disks = world.disks();
    world.judge.lock().at_rest(&disks);
    if is_broken(world) {
        return;
    }
    let stores = LastOwners {
        disks: world.disks_of_owners(),
    };
    if let Err(violation) = audit(&world.cluster, &world.site, &stores) {
        world.judge.lock().find(violation);
    }
}

fn is_broken(world: &World) -> bool {
    world.judge.lock().violation.is_some()
}

fn fingerprint(world: &World) -> [u8; 32] {
    let mut hash = Sha256::new();
    world.each_byte(&mut |bytes| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    });
    hash.finalize().into()
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_seeds_keep_every_promise_and_give_the_same_bytes_twice() {
        for seed in 0..40 {
            let script = crate::schedule::script(seed);
            let wanted = Wanted {
                fingerprint: true,
                trace: true,
            };
            let outcome = run(&script, wanted);
            assert_eq!(outcome.violation, None, "seed {seed}");
            assert_eq!(outcome, run(&script, wanted), "seed {seed}");
        }
    }
}
