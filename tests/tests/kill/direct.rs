//! A program that writes commands straight to the topic, good ones and poison.

use std::sync::mpsc;
use std::time::Duration;

use stagedoor_avro::AvroRecord;
use stagedoor_processors::concert::records::{
    BestAvailable, GeneralPlaces, HoldSeats, ReleaseHold,
};
use stagedoor_processors::id::{Id, scoped_hash};
use stagedoor_tests::random::Random;
use stagedoor_tests::topics::Producer;
use stagedoor_tests::wait;
use stagedoor_topology::log::TopicPartition;
use stagedoor_topology::{Header, Secret, Tick};

use crate::fans::Crowd;

/// Records between two looks at the acknowledgements.
const BATCH: usize = 8;

/// A command that was sent: concert and holder.
struct Sent {
    concert: String,
    hold: HoldSeats,
}

/// Writes until it is told to stop. Returns how many good and how many poisonous records were
/// acknowledged.
pub(crate) fn run(crowd: &Crowd, producer: &Producer, seed: u64) -> (usize, usize) {
    let mut writer = Writer {
        random: Random::new(seed),
        sent: Vec::new(),
        count: 0,
    };
    let (mut good, mut poison) = (0, 0);
    while !crowd.stopping() {
        let (done, acknowledged) = mpsc::sync_channel(BATCH);
        let mut poisonous = 0;
        for _ in 0..BATCH {
            let (key, value, is_poison) = writer.record(&crowd.concerts);
            let reply_to = writer.random.below(4).to_string();
            let reply_to = Header {
                name: "reply-to",
                value: reply_to.as_bytes(),
            };
            let headers = if writer.random.below(2) == 0 {
                &[reply_to][..]
            } else {
                &[]
            };
            producer.send(key.as_deref(), value.as_deref(), headers, &done);
            poisonous += usize::from(is_poison);
        }
        drop(done);
        let wait = Duration::from_secs(15);
        let there = (0..BATCH).filter(|_| matches!(acknowledged.recv_timeout(wait), Ok(Ok(_))));
        if there.count() == BATCH {
            good += BATCH - poisonous;
            poison += poisonous;
        } else {
            crowd.mistake("direct records were not acknowledged".to_owned());
        }
        wait::until(Duration::from_millis(80), || crowd.stopping());
    }
    (good, poison)
}

struct Writer {
    random: Random,
    sent: Vec<Sent>,
    count: u64,
}

/// Key and value, and whether it is poison.
type Written = (Option<Vec<u8>>, Option<Vec<u8>>, bool);

impl Writer {
    fn record(&mut self, concerts: &[String]) -> Written {
        let concert = self.random.pick(concerts).cloned().unwrap_or_default();
        let index = self.random.below(self.sent.len().max(1) as u64);
        let earlier = usize::try_from(index)
            .ok()
            .and_then(|index| self.sent.get(index));
        match (self.random.below(100), earlier) {
            (0..=5, _) => self.poison(&concert),
            (6..=17, Some(sent)) => good(&sent.concert, &sent.hold),
            (18..=21, Some(sent)) => good(
                &sent.concert,
                &HoldSeats {
                    seats: vec!["B-8-1".to_owned()],
                    ..sent.hold.clone()
                },
            ),
            (22..=39, Some(sent)) => {
                let (user, hold) = (&sent.hold.user, &sent.hold.command_id);
                let reservation = Id::reservation(&sent.concert, scoped_hash(user, hold));
                self.count += 1;
                let command_id = format!("release-{}", self.count);
                let release = ReleaseHold {
                    user: user.clone(),
                    command_id,
                    reservation: reservation.to_string(),
                };
                good(&sent.concert, &release)
            }
            _ => {
                let hold = self.hold();
                let written = good(&concert, &hold);
                self.sent.push(Sent { concert, hold });
                if self.sent.len() > 400 {
                    self.sent.drain(..200);
                }
                written
            }
        }
    }

    fn hold(&mut self) -> HoldSeats {
        self.count += 1;
        let user = format!("direct-{}", self.random.below(200));
        let hold = HoldSeats {
            user,
            command_id: format!("d-{}", self.count),
            ..HoldSeats::default()
        };
        let quantity = i32::try_from(self.random.below(2)).unwrap_or(0) + 1;
        match self.random.below(3) {
            0 => {
                let (row, number) = (self.random.below(8) + 1, self.random.below(10) + 1);
                HoldSeats {
                    seats: vec![format!("B-{row}-{number}")],
                    ..hold
                }
            }
            1 => {
                let best = BestAvailable {
                    quantity,
                    section: None,
                    split: true,
                };
                HoldSeats {
                    best: Some(best),
                    ..hold
                }
            }
            _ => {
                let general = GeneralPlaces {
                    section: "GA".to_owned(),
                    quantity,
                };
                HoldSeats {
                    general: Some(general),
                    ..hold
                }
            }
        }
    }

    fn poison(&mut self, concert: &str) -> Written {
        let key = Some(concert.as_bytes().to_vec());
        let forged = || {
            let partition = TopicPartition::new("concert.commands", 0);
            Tick::signed(&Secret::new(*b"guessed"), &partition, 0)
                .encode()
                .ok()
        };
        match self.random.below(5) {
            0 => (key, Some(b"garbage".to_vec()), true),
            1 => (key, Some(vec![0, 0, 0, 39, 15, 1, 2, 3]), true),
            2 => (key, None, true),
            3 => (key, forged(), true),
            _ => (None, good(concert, &HoldSeats::default()).1, true),
        }
    }
}

fn good<R: AvroRecord>(concert: &str, command: &R) -> Written {
    let mut value = Vec::new();
    stagedoor_avro::encode(command, &mut value).expect("the command fits its schema");
    (Some(concert.as_bytes().to_vec()), Some(value), false)
}
