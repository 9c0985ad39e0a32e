//! The stage of a behaviour script: the test driver with the usual concert.

use stagedoor_topology::driver::TopologyTestDriver;
use stagedoor_topology::{Header, TaskId};

use super::line::{Act, Line};
use crate::concert::queries::seat_map;
use crate::concert::records::{CommandResult, GeneralPlaces, HoldExpired, HoldReleased, SeatsHeld};
use crate::concert::tests::harness::{CONCERT, concert, framed};
use crate::concert::{COMMANDS, Command, EVENTS, RESULTS};

/// Where it happens.
pub(super) struct Stage {
    driver: TopologyTestDriver,
}

impl Stage {
    /// The concert is put at the beginning of time.
    pub(super) fn new() -> Self {
        let driver = TopologyTestDriver::new(crate::topology().unwrap(), 1, 0).unwrap();
        let mut stage = Self { driver };
        stage.send(&Command::PutConcert(concert("organiser", "put")), None);
        stage.said();
        stage
    }

    /// Plays a line and says what came of it.
    pub(super) fn play(&mut self, line: &Line) -> String {
        let wait_ms = line.at_ms - self.driver.time_ms();
        let wait_ms = u64::try_from(wait_ms).expect("lines are in the order of their times");
        self.driver.advance_time(wait_ms).unwrap();
        match &line.act {
            Act::Send(command, until) => self.send(command, *until),
            Act::Rubbish => {
                let (topic, key) = (COMMANDS.topic, CONCERT.as_bytes());
                self.driver
                    .pipe_input(topic, key, Some(b"rubbish"), &[])
                    .unwrap();
            }
            Act::Look(sections) => return self.look(sections),
            Act::Pass => {}
        }
        self.said()
    }

    pub(super) fn crash(&mut self) {
        self.driver.crash().unwrap();
    }

    pub(super) fn lose_stores(&mut self) {
        self.driver.lose_stores().unwrap();
    }

    /// A digest of what is stored.
    pub(super) fn stored(&mut self) -> String {
        format!("{:?}", self.driver.digests().unwrap())
    }

    fn send(&mut self, command: &Command, until: Option<i64>) {
        let until = until.map(|time| time.to_string());
        let header = until.as_ref().map(|text| Header {
            name: "valid-until",
            value: text.as_bytes(),
        });
        let headers: Vec<Header<'_>> = header.into_iter().collect();
        let value = framed(command);
        let (topic, key) = (COMMANDS.topic, CONCERT.as_bytes());
        self.driver
            .pipe_input(topic, key, Some(&value), &headers)
            .unwrap();
    }

    fn look(&mut self, sections: &[String]) -> String {
        let task = TaskId {
            sub_topology: 0,
            partition: 0,
        };
        let store = self.driver.state(task).unwrap();
        let map = store
            .read(|state| seat_map(state, CONCERT))
            .unwrap()
            .unwrap();
        let seats = |id: &String| {
            let section = map
                .sections
                .iter()
                .find(|section| section.id == *id)
                .unwrap();
            match section.seats.is_empty() {
                true => format!("{} free", section.counts.free),
                false => section.seats.clone(),
            }
        };
        sections.iter().map(seats).collect::<Vec<_>>().join(" ")
    }

    /// Events, dead letters and answers since the last line.
    fn said(&mut self) -> String {
        let mut said = Vec::new();
        for record in self.driver.read_output(EVENTS.topic) {
            said.push(event(record.value.as_deref().unwrap()));
        }
        let dead_letters = self.driver.naming().dead_letters();
        let letters = self.driver.read_output(&dead_letters);
        said.extend(letters.iter().map(|_| "dead letter".to_owned()));
        for record in self.driver.read_output(RESULTS.topic) {
            said.push(answer(record.value.as_deref().unwrap()));
        }
        said.join(", ")
    }
}

fn event(value: &[u8]) -> String {
    let name = stagedoor_avro::schema_of(value).unwrap().name;
    let (seats, general) = match name {
        "stagedoor.concert.SeatsHeld" => {
            let event: SeatsHeld = stagedoor_avro::decode(value).unwrap();
            (event.seats, event.general)
        }
        "stagedoor.concert.HoldReleased" => {
            let event: HoldReleased = stagedoor_avro::decode(value).unwrap();
            (event.seats, event.general)
        }
        _ => {
            let event: HoldExpired = stagedoor_avro::decode(value).unwrap();
            (event.seats, event.general)
        }
    };
    let places = |places: &GeneralPlaces| format!("{} {}", places.quantity, places.section);
    let mut words = vec![name.trim_start_matches("stagedoor.concert.").to_owned()];
    words.extend(seats);
    words.extend(general.iter().map(places));
    words.join(" ")
}

fn answer(value: &[u8]) -> String {
    let answer: CommandResult = stagedoor_avro::decode(value).unwrap();
    match (answer.rejection, answer.concert_created) {
        (Some(rejection), _) if rejection.taken.is_empty() => rejection.code,
        (Some(rejection), _) => format!(
            "{} {} instead {}",
            rejection.code,
            rejection.taken.join(" "),
            rejection.alternatives.join(" ")
        ),
        (None, Some(true)) => "created".to_owned(),
        (None, Some(false)) => "stands".to_owned(),
        (None, None) => "ok".to_owned(),
    }
}
