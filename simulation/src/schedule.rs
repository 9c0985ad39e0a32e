//! A seed becomes a script: how large the cluster is, who sends what, who moves next, what breaks.
//!
//! Nothing here looks at the run, so that a step can be left out and the others stay the same.

use stagedoor_topology::log::simulated::Call;

use crate::random::Random;
use crate::script::{Arm, Harm, Script, Size, Step};
use crate::workload::Crowd;

/// What an instance is doing, as far as the script says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Up,
    Down,
    Frozen,
    CutOff,
}

/// Something that may go wrong.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Crash,
    PowerCut,
    Wipe,
    Close,
    Freeze,
    Cut,
    DeliverLate,
    Compact,
    ForgetOffsets,
    Sync,
    Arm,
}

const FAULTS: [(usize, Fault); 11] = [
    (90, Fault::Arm),
    (5, Fault::Sync),
    (5, Fault::ForgetOffsets),
    (30, Fault::Crash),
    (6, Fault::PowerCut),
    (6, Fault::Wipe),
    (12, Fault::Close),
    (16, Fault::Freeze),
    (16, Fault::Cut),
    (10, Fault::DeliverLate),
    (6, Fault::Compact),
];

const HOUR_MS: i64 = 3_600_000;

struct Scheduler {
    random: Random,
    crowd: Crowd,
    size: Size,
    instances: Vec<Is>,
    faulty: bool,
    steps: Vec<Step>,
    sent: usize,
    now_ms: i64,
}

/// The script of a seed.
pub(crate) fn script(seed: u64) -> Script {
    let mut random = Random::new(seed);
    let faulty = !random.in_a_thousand(250);
    let size = Size {
        partitions: i32::try_from(random.between(1, 4)).unwrap_or(1),
        instances: 1 + random.below(3),
        threads: 1 + random.below(2),
        batch: random.weighted(&[(1, 1), (2, 5), (3, 100)]),
        transactions: random.weighted(&[(2, 5), (1, 60)]),
    };
    let commands = 100 + random.below(900);
    let crowd = Crowd::new(&mut random);
    let mut scheduler = Scheduler {
        instances: vec![Is::Down; size.instances],
        random,
        crowd,
        size,
        faulty,
        steps: Vec::new(),
        sent: 0,
        now_ms: 0,
    };
    scheduler.begin();
    while scheduler.sent < commands {
        scheduler.round();
    }
    Script {
        seed,
        size,
        steps: scheduler.steps,
    }
}

impl Scheduler {
    fn begin(&mut self) {
        for instance in 0..self.size.instances {
            if instance == 0 || self.random.in_a_thousand(800) {
                self.start(instance);
            }
        }
        for opening in self.crowd.openings() {
            self.steps.push(Step::Send(opening));
        }
    }

    fn start(&mut self, instance: usize) {
        self.instances[instance] = Is::Up;
        self.steps.push(Step::Start(instance));
    }

    fn round(&mut self) {
        let burst = match self.random.below(100) {
            0..15 => 0,
            15..50 => 1,
            50..85 => 2 + self.random.below(5),
            85..97 => 6 + self.random.below(15),
            _ => 20 + self.random.below(40),
        };
        for _ in 0..burst {
            let command = self.crowd.next(&mut self.random, self.now_ms);
            self.steps.push(Step::Send(command));
        }
        self.sent += burst;
        self.mend();
        if self.faulty && self.random.in_a_thousand(80) {
            self.harm();
        }
        for _ in 0..=self.random.below(3) {
            self.turn();
        }
        self.wait();
    }

    fn turn(&mut self) {
        let instance = self.random.below(self.size.instances);
        let thread = self.random.below(self.size.threads);
        let most = u32::try_from(self.random.between(1, 12)).unwrap_or(1);
        if matches!(self.instances[instance], Is::Up | Is::CutOff) {
            self.steps.push(Step::Turn {
                instance,
                thread,
                most,
            });
        }
    }

    fn wait(&mut self) {
        let ms = match self.random.below(1_000) {
            0..350 => return,
            350..800 => self.random.between(1, 40),
            800..930 => self.random.between(40, 1_500),
            930..975 => self.random.between(1_500, 12_000),
            975..997 => self.random.between(12_000, 70_000),
            _ => self.random.between(11 * HOUR_MS, 25 * HOUR_MS),
        };
        self.now_ms += ms;
        self.steps.push(Step::Wait(ms));
    }

    /// Whatever is broken is mended after a while.
    fn mend(&mut self) {
        for instance in 0..self.size.instances {
            if !self.random.in_a_thousand(180) {
                continue;
            }
            let step = match self.instances[instance] {
                Is::Up => continue,
                Is::Down => Step::Start(instance),
                Is::Frozen => Step::Thaw(instance),
                Is::CutOff => Step::Heal(instance),
            };
            self.instances[instance] = Is::Up;
            self.steps.push(step);
        }
    }

    fn harm(&mut self) {
        let at = self.random.below(self.size.instances);
        let fault = self.random.weighted(&FAULTS);
        let is = self.instances[at];
        let (after, step) = match (fault, is) {
            (Fault::DeliverLate, _) => (is, Step::DeliverLate),
            (Fault::Compact, _) => (is, Step::Compact),
            (Fault::ForgetOffsets, _) => (is, Step::ForgetOffsets),
            (Fault::Wipe, Is::Down) => (Is::Down, Step::Wipe(at)),
            (_, Is::Down) => return,
            (Fault::Arm, _) => {
                let arm = self.arm(at);
                (is, Step::Arm(arm))
            }
            (Fault::Sync, _) => (is, Step::Sync(at)),
            (Fault::Crash | Fault::Wipe, _) => (Is::Down, Step::Crash(at)),
            (Fault::PowerCut, _) => (Is::Down, Step::PowerCut(at)),
            (Fault::Close, Is::Up) => (Is::Down, Step::Close(at)),
            (Fault::Freeze, Is::Up) => (Is::Frozen, Step::Freeze(at)),
            (Fault::Cut, Is::Up) => (Is::CutOff, Step::Cut(at)),
            (Fault::Close | Fault::Freeze | Fault::Cut, Is::Frozen | Is::CutOff) => return,
        };
        self.instances[at] = after;
        let late = matches!(
            &step,
            Step::Arm(arm) if matches!(arm.harm, Harm::Held | Harm::Doubled)
        );
        self.steps.push(step);
        if late && self.random.in_a_thousand(700) {
            let stand = self.stand_in_the_next_transaction(at);
            self.steps.push(stand);
        }
    }

    /// What is held in the network arrives while a process stands still: inside of the next
    /// transaction it does the most harm.
    fn stand_in_the_next_transaction(&mut self, instance: usize) -> Step {
        Step::Arm(Arm {
            instance,
            call: *self
                .random
                .pick(&[Call::Send, Call::AddOffsets, Call::Commit]),
            skip: u32::try_from(1 + self.random.below(12)).unwrap_or(1),
            harm: Harm::Stand(300),
        })
    }

    fn arm(&mut self, instance: usize) -> Arm {
        let random = &mut self.random;
        let (call, skips) = random.weighted(&CALLS);
        let own = random.in_a_thousand(600);
        let mut harm = if own && call == Call::Commit {
            random.weighted(&ENDS)
        } else if own && call == Call::Append {
            Harm::AppendDoubt
        } else {
            random.weighted(&HARMS)
        };
        if let Harm::Stand(ms) = &mut harm {
            *ms = random.weighted(&[(1, 300), (2, 4_000), (3, 9_000)]);
        }
        let skip = u32::try_from(random.below(skips)).unwrap_or(0);
        Arm {
            instance,
            call,
            skip,
            harm,
        }
    }
}

/// Calls at which something goes wrong, and how many of them may pass first.
const CALLS: [(usize, (Call, usize)); 11] = [
    (30, (Call::Commit, 3)),
    (14, (Call::Store, 3)),
    (12, (Call::Send, 20)),
    (8, (Call::AddOffsets, 3)),
    (6, (Call::Poll, 5)),
    (6, (Call::Read, 6)),
    (4, (Call::Session, 1)),
    (4, (Call::Committed, 3)),
    (4, (Call::Watermarks, 6)),
    (3, (Call::Reader, 3)),
    (6, (Call::Append, 2)),
];

/// Ways in which the end of a transaction goes wrong.
const ENDS: [(usize, Harm); 5] = [
    (2, Harm::AnswerLost),
    (2, Harm::RequestLost),
    (3, Harm::Held),
    (3, Harm::Doubled),
    (2, Harm::SlowMarkers),
];

/// What goes wrong at any call.
const HARMS: [(usize, Harm); 4] = [
    (3, Harm::CrashBefore),
    (3, Harm::CrashAfter),
    (3, Harm::Unavailable),
    (3, Harm::Stand(0)),
];
