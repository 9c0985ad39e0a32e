//! The load, request by request from a seed, so that every system under measure is asked for the
//! same.
//!
//! The other implementation is `benches/peers/kafka-streams/src/main/java/stagedoor/peer/Mix.java`;
//! both are held against `benches/peers/mix.golden`.

use stagedoor_topology::partition_for;

const HEADLINE_CONCERTS: u64 = 5;
const HEADLINE_SECTIONS: u64 = 80;
const ROWS: u64 = 20;
const SEATS_PER_ROW: u64 = 20;
const MOST_SEATS: u64 = 4;
/// Id of the section of general admission.
pub const GENERAL_SECTION: &str = "GA";
/// Places of a concert of general admission: the most that one may have.
pub const GENERAL_CAPACITY: u64 = 1_000_000;
/// Most seats of a concert in Stagedoor, and so of one hot concert.
const MOST_HOT_SEATS: u64 = 200_000;

/// Price of every seat, in minor units.
pub const PRICE_MINOR: i64 = 15_000;
/// Most live seats of a user at a concert.
pub const SEATS_PER_USER: u64 = 4;

/// Which requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// 5 concerts of 80 sections of 20 rows of 20 seats; 1 to 4 neighbours in a row, all at random.
    /// Most are refused once the halls fill.
    Headline,
    /// One concert, a seat of its own for every request: all succeed. At most 200,000.
    Hot,
    /// One concert, one place of general admission for every request: all succeed. At most
    /// 1,000,000.
    General,
}

/// A mix is too long for its concerts.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "requests: {wanted} are more than the {most} that can all succeed at one concert; ask for fewer"
)]
pub struct TooMany {
    /// What was asked for.
    pub wanted: u64,
    /// The most that fit.
    pub most: u64,
}

/// The requests of one run.
#[derive(Clone, Debug)]
pub struct Mix {
    kind: Kind,
    seed: u64,
    requests: u64,
    users: u64,
    run: String,
    concerts: Vec<String>,
}

/// One request: neighbouring seats in one row, or places of general admission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Index into [`Mix::concerts`].
    pub concert: usize,
    /// Number of the user, below [`Mix::users`]; the name is [`user_name`].
    pub user: u64,
    /// What is wanted.
    pub wish: Wish,
}

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Neighbours in one row; all numbers but the section's count from 1.
    Seats {
        /// The section is called `S` and this number.
        section: u64,
        /// The row.
        row: u64,
        /// Number of the first seat.
        first: u64,
        /// How many.
        quantity: u64,
    },
    /// One place in section `GA`.
    Place,
}

/// A section of a concert of a mix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its id.
    pub id: String,
    /// Rows and seats in each; none: general admission.
    pub rows: Option<(u64, u64)>,
    /// Places of general admission.
    pub capacity: Option<u64>,
}

impl Mix {
    /// The mix of a run. `run` becomes part of every id, so that runs do not meet. The n-th
    /// concert's id lies in the n-th of `partitions` by Java's default partitioner. `users` share
    /// the requests in turn.
    ///
    /// # Errors
    /// More requests than can all succeed, where all must.
    pub fn new(
        kind: Kind,
        seed: u64,
        requests: u64,
        users: u64,
        run: &str,
        partitions: i32,
    ) -> Result<Self, TooMany> {
        let (count, most) = match kind {
            Kind::Headline => (HEADLINE_CONCERTS, u64::MAX),
            Kind::Hot => (1, MOST_HOT_SEATS.min(users.saturating_mul(SEATS_PER_USER))),
            Kind::General => (
                1,
                GENERAL_CAPACITY.min(users.saturating_mul(SEATS_PER_USER)),
            ),
        };
        if requests > most {
            return Err(TooMany {
                wanted: requests,
                most,
            });
        }
        Ok(Self {
            kind,
            seed,
            requests,
            users: users.max(1),
            run: run.to_owned(),
            concerts: concert_ids(run, count, partitions),
        })
    }

    /// Ids of the concerts.
    #[must_use]
    pub fn concerts(&self) -> &[String] {
        &self.concerts
    }

    /// Number of users.
    #[must_use]
    pub fn users(&self) -> u64 {
        self.users
    }

    /// Number of requests that the mix was made for; a headline mix goes on beyond it.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Whether requests beyond [`Mix::requests`] make sense: they are refused like others, and
    /// nothing wanted them to succeed.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        self.kind == Kind::Headline
    }

    /// Command id of the `index`-th request.
    #[must_use]
    pub fn command_id(&self, index: u64) -> String {
        format!("{}-{index}", self.run)
    }

    /// The `index`-th request, from 0.
    #[must_use]
    pub fn request(&self, index: u64) -> Request {
        let user = index % self.users;
        let (concert, wish) = match self.kind {
            Kind::Headline => headline(self.seed, index),
            Kind::Hot => (0, self.hot(index)),
            Kind::General => (0, Wish::Place),
        };
        Request {
            concert,
            user,
            wish,
        }
    }

    /// What every concert of the mix sells.
    #[must_use]
    pub fn sections(&self) -> Vec<Section> {
        let count = match self.kind {
            Kind::Headline => HEADLINE_SECTIONS,
            Kind::Hot => self.hot_sections(),
            Kind::General => return vec![general_admission()],
        };
        let section = |number| Section {
            id: format!("S{number}"),
            rows: Some((ROWS, SEATS_PER_ROW)),
            capacity: None,
        };
        (0..count).map(section).collect()
    }

    /// Neighbours in time lie far apart in the hall.
    fn hot(&self, index: u64) -> Wish {
        let sections = self.hot_sections();
        let place = index / sections;
        Wish::Seats {
            section: index % sections,
            row: place / SEATS_PER_ROW + 1,
            first: place % SEATS_PER_ROW + 1,
            quantity: 1,
        }
    }

    fn hot_sections(&self) -> u64 {
        self.requests.div_ceil(ROWS * SEATS_PER_ROW).max(1)
    }
}

/// The one section of a concert of general admission.
#[must_use]
pub fn general_admission() -> Section {
    Section {
        id: GENERAL_SECTION.to_owned(),
        rows: None,
        capacity: Some(GENERAL_CAPACITY),
    }
}

/// Name of a user.
#[must_use]
pub fn user_name(user: u64) -> String {
    format!("u{user}")
}

fn headline(seed: u64, index: u64) -> (usize, Wish) {
    let step = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // One bit less, so that languages without unsigned numbers divide alike.
    let mut random = split_mix(seed.wrapping_add(step)) >> 1;
    let mut below = |bound: u64| {
        let chosen = random % bound;
        random /= bound;
        chosen
    };
    let concert = usize::try_from(below(HEADLINE_CONCERTS)).unwrap_or_default();
    let section = below(HEADLINE_SECTIONS);
    let row = 1 + below(ROWS);
    let quantity = 1 + below(MOST_SEATS);
    let first = 1 + below(SEATS_PER_ROW - quantity + 1);
    let wish = Wish::Seats {
        section,
        row,
        first,
        quantity,
    };
    (concert, wish)
}

/// Ids of `count` concerts of a run, of which the n-th lies in partition n modulo `partitions` by
/// Java's default partitioner.
#[must_use]
pub fn concert_ids(run: &str, count: u64, partitions: i32) -> Vec<String> {
    let mut ids = Vec::new();
    let mut wanted = (0..count).map(|at| i32::try_from(at).unwrap_or(0) % partitions.max(1));
    let mut next = wanted.next();
    for number in 0_u64.. {
        let Some(partition) = next else { break };
        let id = format!("{run}-c{number}");
        if partition_for(id.as_bytes(), partitions) == partition {
            ids.push(id);
            next = wanted.next();
        }
    }
    ids
}

/// Finalisation of `SplitMix64` (Steele, Lea, Flood 2014).
fn split_mix(x: u64) -> u64 {
    let z = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fmt::Write as _;

    use super::*;

    /// The text of Java's `peer.sh mix`.
    fn text(mix: &Mix) -> String {
        let mut text = format!("concerts {}\n", mix.concerts().join(" "));
        for index in 0..mix.requests() {
            let Request {
                concert,
                user,
                wish,
            } = mix.request(index);
            let seats = match wish {
                Wish::Seats {
                    section,
                    row,
                    first,
                    quantity,
                } => {
                    format!("S{section} {row} {first} {quantity}")
                }
                Wish::Place => "GA 0 0 1".to_owned(),
            };
            let (concert, user) = (&mix.concerts()[concert], user_name(user));
            writeln!(text, "{concert} {user} {} {seats}", mix.command_id(index)).unwrap();
        }
        text
    }

    fn mix(kind: Kind, requests: u64, partitions: i32) -> Mix {
        Mix::new(kind, 1, requests, requests, "golden", partitions).unwrap()
    }

    #[test]
    fn both_implementations_make_the_same_requests() {
        let mut all = text(&mix(Kind::Headline, 50, 5));
        all += &text(&mix(Kind::Hot, 450, 1));
        all += &text(&mix(Kind::General, 5, 1));
        assert_eq!(all, include_str!("../peers/mix.golden"));
    }

    #[test]
    fn every_hot_request_has_a_seat_of_its_own_inside_the_hall() {
        let mix = mix(Kind::Hot, 200_000, 1);
        let sections = u64::try_from(mix.sections().len()).unwrap();
        let mut seen = HashSet::new();
        for index in 0..200_000 {
            let Wish::Seats {
                section,
                row,
                first,
                quantity,
            } = mix.request(index).wish
            else {
                panic!("a hot request names a seat");
            };
            assert!(section < sections && (1..=20).contains(&row) && (1..=20).contains(&first));
            assert!(
                quantity == 1 && seen.insert((section, row, first)),
                "request {index}"
            );
        }
    }

    #[test]
    fn headline_requests_stay_inside_the_hall_and_reach_all_of_it() {
        let mix = mix(Kind::Headline, 20_000, 5);
        let mut seen = HashSet::new();
        for index in 0..20_000 {
            let request = mix.request(index);
            let Wish::Seats {
                section,
                row,
                first,
                quantity,
            } = request.wish
            else {
                panic!("a headline request names seats");
            };
            assert!(section < 80 && (1..=20).contains(&row) && (1..=4).contains(&quantity));
            assert!(first >= 1 && first + quantity - 1 <= 20, "request {index}");
            seen.insert((request.concert, section));
        }
        assert_eq!(seen.len(), 5 * 80);
    }

    #[test]
    fn each_concert_has_a_partition_of_its_own() {
        let mix = mix(Kind::Headline, 1, 5);
        let partitions = mix
            .concerts()
            .iter()
            .map(|id| partition_for(id.as_bytes(), 5));
        assert_eq!(partitions.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn what_cannot_all_succeed_is_refused() {
        let hot = |requests, users| Mix::new(Kind::Hot, 1, requests, users, "r", 1).map(|_| ());
        assert_eq!(hot(200_000, 50_000), Ok(()));
        assert!(hot(200_001, 200_001).is_err());
        assert_eq!(
            hot(41, 10),
            Err(TooMany {
                wanted: 41,
                most: 40
            }),
            "four seats a user"
        );
    }
}
