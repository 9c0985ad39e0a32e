//! What people send next.

use super::concerts;
use crate::random::Random;
use crate::script::{Ask, Command, Plan, Poison, Seating};

/// The people of a run, and what they have sent so far.
pub(crate) struct Crowd {
    users: usize,
    concerts: Vec<(String, Plan)>,
    sent: Vec<Command>,
    keys: usize,
}

/// The kinds of requests, by how often they come.
const KINDS: [(usize, Kind); 16] = [
    (300, Kind::Holds),
    (210, Kind::Best),
    (110, Kind::General),
    (110, Kind::ReleasesOwn),
    (30, Kind::ReleasesForeign),
    (15, Kind::ReleasesNothing),
    (70, Kind::Again),
    (35, Kind::AgainOtherwise),
    (30, Kind::TooLate),
    (15, Kind::Malformed),
    (25, Kind::Poison),
    (10, Kind::Elsewhere),
    (12, Kind::PutAgain),
    (8, Kind::PutWrong),
    (2, Kind::PutTooLarge),
    (8, Kind::PutNew),
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Holds,
    Best,
    General,
    ReleasesOwn,
    ReleasesForeign,
    ReleasesNothing,
    Again,
    AgainOtherwise,
    TooLate,
    Malformed,
    Poison,
    Elsewhere,
    PutAgain,
    PutWrong,
    PutTooLarge,
    PutNew,
}

impl Crowd {
    /// A few people, and one to three concerts.
    pub(crate) fn new(random: &mut Random) -> Self {
        let count = 1 + random.below(3);
        let concert =
            |n: usize, random: &mut Random| (format!("c{n}"), concerts::concert(random, 0));
        Self {
            users: 2 + random.below(24),
            concerts: (1..=count).map(|n| concert(n, random)).collect(),
            sent: Vec::new(),
            keys: 0,
        }
    }

    /// The commands that put the concerts on sale.
    pub(crate) fn openings(&mut self) -> Vec<Command> {
        let put = |(id, plan): &(String, Plan)| Command {
            user: "org".to_owned(),
            key: format!("put-{id}"),
            concert: id.clone(),
            ask: Ask::Put(plan.clone()),
            patience_ms: None,
            reply_to: None,
        };
        let openings: Vec<Command> = self.concerts.iter().map(put).collect();
        self.sent.extend(openings.clone());
        openings
    }

    /// What somebody sends next, so many milliseconds after the start of the world.
    pub(crate) fn next(&mut self, random: &mut Random, now_ms: i64) -> Command {
        let kind = random.weighted(&KINDS);
        let mut command = self.new_command(random);
        let plan = self.plan_of(&command.concert).clone();
        match kind {
            Kind::Holds => {}
            Kind::Best => command.ask = best(&plan, random),
            Kind::General => command.ask = general(&plan, random),
            Kind::ReleasesOwn => self.release(&mut command, true, random),
            Kind::ReleasesForeign => self.release(&mut command, false, random),
            Kind::ReleasesNothing => command.ask = Ask::ReleasesText(nothing(random)),
            Kind::Again => return self.again(random).unwrap_or(command),
            Kind::AgainOtherwise => {
                if let Some(first) = self.again(random) {
                    (command.user, command.key) = (first.user, first.key);
                    command.concert = first.concert;
                }
            }
            Kind::TooLate => command.patience_ms = Some(random.between(-2_000, 50)),
            Kind::Malformed => command.ask = malformed(random),
            Kind::Poison => command.ask = Ask::Poison(random.pick(&Poison::ALL).0),
            Kind::Elsewhere => "c99".clone_into(&mut command.concert),
            Kind::PutAgain => self.put_again(&mut command, &plan, random),
            Kind::PutWrong => {
                command.concert = format!("w{}", random.below(3));
                command.ask = Ask::Put(concerts::wrong(&plan, random));
            }
            Kind::PutTooLarge => {
                "big".clone_into(&mut command.concert);
                command.ask = Ask::Put(Plan { crowd: 700, ..plan });
            }
            Kind::PutNew => {
                "org".clone_into(&mut command.user);
                command.concert = format!("c{}", self.concerts.len() + 1);
                let plan = concerts::concert(random, now_ms);
                command.ask = Ask::Put(plan.clone());
                self.concerts.push((command.concert.clone(), plan));
            }
        }
        self.sent.push(command.clone());
        command
    }

    /// A hold of seats by somebody with a new key.
    fn new_command(&mut self, random: &mut Random) -> Command {
        self.keys += 1;
        // Old concerts are forgotten by the public.
        let newest = self.concerts.len().saturating_sub(3);
        let (concert, plan) = random.pick(&self.concerts[newest..]).clone();
        Command {
            user: format!("u{}", 1 + random.below(self.users)),
            key: format!("k{}", self.keys),
            concert,
            ask: hold(&plan, random),
            patience_ms: random.in_a_thousand(300).then_some(10_000),
            reply_to: random
                .in_a_thousand(300)
                .then(|| random.weighted(&REPLY_TO)),
        }
    }

    fn plan_of(&self, concert: &str) -> &Plan {
        let found = self.concerts.iter().find(|(id, _)| id == concert);
        &found.unwrap_or(&self.concerts[0]).1
    }

    fn again(&self, random: &mut Random) -> Option<Command> {
        (!self.sent.is_empty()).then(|| self.recent(random).clone())
    }

    /// Mostly something of late, sometimes anything.
    fn recent(&self, random: &mut Random) -> &Command {
        let count = self.sent.len();
        let back = if random.in_a_thousand(800) {
            count.min(15)
        } else {
            count
        };
        &self.sent[count - 1 - random.below(back)]
    }

    fn release(&self, command: &mut Command, own: bool, random: &mut Random) {
        for _ in 0..8 {
            if self.sent.is_empty() {
                break;
            }
            let first = self.recent(random);
            if matches!(
                first.ask,
                Ask::Holds(_) | Ask::Best { .. } | Ask::General { .. }
            ) {
                command.concert.clone_from(&first.concert);
                if own {
                    command.user.clone_from(&first.user);
                }
                let (owner, of) = (first.user.clone(), first.key.clone());
                command.ask = Ask::Releases { owner, of };
                break;
            }
        }
    }

    fn put_again(&self, command: &mut Command, plan: &Plan, random: &mut Random) {
        "org".clone_into(&mut command.user);
        command.ask = Ask::Put(match random.below(2) {
            0 => plan.clone(),
            _ => concerts::other(plan, random),
        });
    }
}

/// Partitions of the results topic, with and without such a one.
const REPLY_TO: [(usize, i32); 5] = [(4, 0), (2, 1), (2, 3), (1, 99), (1, -1)];

fn hold(plan: &Plan, random: &mut Random) -> Ask {
    let numbered = |(_, seating, _): &(String, Seating, i64)| matches!(seating, Seating::Rows(..));
    match plan.sections.iter().any(numbered) {
        true => Ask::Holds(chosen(plan, random)),
        false => general(plan, random),
    }
}

fn chosen(plan: &Plan, random: &mut Random) -> Vec<String> {
    let count = random.weighted(&[(5, 1), (4, 2), (2, 3), (1, 4)]);
    (0..count).map(|_| seat(plan, random)).collect()
}

fn seat(plan: &Plan, random: &mut Random) -> String {
    const ODD: [&str; 6] = ["A-9-1", "A-1-99", "A-0-1", "A-01-1", "GA-1-1", "rubbish"];
    if random.in_a_thousand(15) {
        return (*random.pick(&ODD)).to_owned();
    }
    let (id, seating, _) = random.pick(&plan.sections);
    match seating {
        Seating::Rows(rows, seats) => {
            // The middle is what people want.
            let of = |most: i32, random: &mut Random| {
                let throw = |random: &mut Random| random.between(1, i64::from(most));
                (throw(random) + throw(random) + 1) / 2
            };
            format!("{id}-{}-{}", of(*rows, random), of(*seats, random))
        }
        Seating::Places(_) => seat(plan, random),
    }
}

fn best(plan: &Plan, random: &mut Random) -> Ask {
    let section = match random.below(8) {
        0..4 => None,
        4 => Some("Z".to_owned()),
        _ => Some(random.pick(&plan.sections).0.clone()),
    };
    Ask::Best {
        quantity: i32::try_from(random.weighted(&[(3, 1), (4, 2), (2, 3), (1, 4), (1, 6)]))
            .unwrap_or(1),
        section,
        split: random.in_a_thousand(400),
    }
}

fn general(plan: &Plan, random: &mut Random) -> Ask {
    let section = match random.below(8) {
        0 => random.pick(&plan.sections).0.clone(),
        _ => "GA".to_owned(),
    };
    Ask::General {
        quantity: i32::try_from(random.between(1, 4)).unwrap_or(1),
        section,
    }
}

fn malformed(random: &mut Random) -> Ask {
    match random.below(6) {
        0 => Ask::Holds(Vec::new()),
        1 => Ask::Holds((1..=11).map(|number| format!("A-1-{number}")).collect()),
        2 => Ask::Holds(vec!["A-1-1".to_owned(); 2]),
        3 => Ask::Both(vec!["A-1-1".to_owned()]),
        4 => Ask::Best {
            quantity: i32::try_from(random.between(-1, 0)).unwrap_or(0),
            section: None,
            split: true,
        },
        _ => Ask::General {
            quantity: 11,
            section: "GA".to_owned(),
        },
    }
}

fn nothing(random: &mut Random) -> String {
    const NOTHING: [&str; 4] = [
        "rubbish",
        "r",
        "rAAAAAAAAAAAAAAAAAAAAAGMx",
        "cAAAAAAAAAAAAAAAAAAAAAGMx",
    ];
    (*random.pick(&NOTHING)).to_owned()
}
