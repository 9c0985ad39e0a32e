//! A task without a runtime: plays records one by one, timers first, over the memory back end.

use std::ops::ControlFlow;
use std::sync::Arc;

use stagedoor_avro::AvroRecord;
use stagedoor_state::{Digest, MemoryDatabase, ReadState as _, StorageProvider as _, TaskState};
use stagedoor_topology::{
    Context, Failure, Forwarded, Headers, Message, Processor as _, Record, Sink, TaskError,
};

use crate::concert::queries::{SeatMap, seat_map};
use crate::concert::records::{
    BestAvailable, CommandResult, GeneralPlaces, HoldSeats, PutConcert, ReleaseHold, SectionPlan,
};
use crate::concert::stores::{DEADLINES, store_set};
use crate::concert::{Command, ConcertProcessor, EVENTS, RESULTS};

/// The concert that tests use unless they say otherwise.
pub(super) const CONCERT: &str = "c1";
/// When its sale opens and closes.
pub(super) const OPENS_MS: i64 = 10_000;
pub(super) const CLOSES_MS: i64 = 500_000_000;

/// A key and a value, `None` for a tombstone.
pub(super) type Row = (Vec<u8>, Option<Vec<u8>>);

/// One task, with everything that ever left it.
pub(super) struct Task {
    database: MemoryDatabase,
    state: Option<TaskState>,
    offset: i64,
    now_ms: i64,
    /// All forwarded messages in order.
    pub(super) forwarded: Vec<Forwarded>,
    processor: ConcertProcessor,
    /// All changelog records in order.
    pub(super) changelog: Vec<Row>,
}

impl Task {
    pub(super) fn new() -> Self {
        let database = MemoryDatabase::new();
        let (forwarded, changelog) = (Vec::new(), Vec::new());
        let mut task = Self {
            database,
            state: None,
            offset: 0,
            now_ms: 0,
            forwarded,
            processor: ConcertProcessor::default(),
            changelog,
        };
        task.open();
        task
    }

    /// A task with the usual concert.
    pub(super) fn on_sale() -> Self {
        let mut task = Self::new();
        task.play(1, &Command::PutConcert(concert("organiser", "put")));
        task
    }

    fn open(&mut self) {
        let storage = self.database.storage("0_0").unwrap();
        self.state = Some(TaskState::new(storage, Arc::new(store_set().unwrap())).unwrap());
    }

    pub(super) fn state(&mut self) -> &mut TaskState {
        self.state.as_mut().unwrap()
    }

    /// Commits, closes and opens the task again.
    pub(super) fn restart(&mut self) {
        self.commit();
        self.state = None;
        self.open();
    }

    pub(super) fn commit(&mut self) {
        let state = self.state.as_mut().unwrap();
        let rows = state
            .changes()
            .map(|row| (row.key.to_vec(), row.value.map(<[u8]>::to_vec)));
        self.changelog.extend(rows);
        state.commit(&[]).unwrap();
    }

    /// Plays a command of the usual concert and returns its answer.
    pub(super) fn play(&mut self, at_ms: i64, command: &Command) -> CommandResult {
        stagedoor_avro::decode(&self.play_bytes(at_ms, CONCERT, command, None)).unwrap()
    }

    /// Plays a command and returns the bytes of its answer.
    pub(super) fn play_bytes(
        &mut self,
        at_ms: i64,
        concert: &str,
        command: &Command,
        valid_until_ms: Option<i64>,
    ) -> Vec<u8> {
        let headers = ValidUntil(valid_until_ms.map(|until| until.to_string()));
        let before = self.forwarded.len();
        self.play_record(
            at_ms,
            Some(concert.as_bytes()),
            Some(&framed(command)),
            &headers,
        )
        .unwrap();
        let answers: Vec<_> = self.forwarded[before..]
            .iter()
            .filter(|sent| sent.sink == RESULTS)
            .collect();
        assert_eq!(answers.len(), 1, "one answer a command");
        answers[0].message.value.clone().unwrap()
    }

    /// Plays a record of any content, after everything that is due before it.
    pub(super) fn play_record(
        &mut self,
        at_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &dyn Headers,
    ) -> Result<(), TaskError> {
        self.now_ms = self.now_ms.max(at_ms);
        self.fire_due();
        let record = Record {
            topic: "concert.commands",
            partition: 0,
            offset: self.offset,
            timestamp_ms: self.now_ms,
            key,
            value,
            headers,
        };
        self.offset += 1;
        let state = self.state.as_mut().unwrap();
        let savepoint = state.savepoint();
        let sent = self.forwarded.len();
        let mut context = Context::new(state, self.now_ms, &mut self.forwarded);
        let outcome = self.processor.process(&record, &mut context);
        if let Err(error) = &outcome {
            let failure = Failure::new("undecodable", error.to_string());
            self.state.as_mut().unwrap().rollback(savepoint);
            self.forwarded.truncate(sent);
            let state = self.state.as_mut().unwrap();
            let mut context = Context::new(state, self.now_ms, &mut self.forwarded);
            self.processor
                .answer_failure(&record, &failure, &mut context)
                .unwrap();
        }
        outcome
    }

    /// Fires what is due, as before a record of this time.
    pub(super) fn tick(&mut self, at_ms: i64) {
        self.now_ms = self.now_ms.max(at_ms);
        self.fire_due();
    }

    fn fire_due(&mut self) {
        while let Some(timer) = self.first_timer() {
            let deadline = i64::from_be_bytes(*timer.first_chunk().unwrap()) ^ i64::MIN;
            if deadline > self.now_ms {
                break;
            }
            let state = self.state.as_mut().unwrap();
            let mut context = Context::new(state, self.now_ms, &mut self.forwarded);
            self.processor.fire(&timer, &mut context).unwrap();
        }
    }

    fn first_timer(&mut self) -> Option<Vec<u8>> {
        let mut first = None;
        let (from, until) = ([DEADLINES.id()], [DEADLINES.id() + 1]);
        let visit = &mut |key: &[u8], _: &[u8]| {
            first = Some(key[1..].to_vec());
            ControlFlow::Break(())
        };
        self.state().scan_bytes(&from, &until, visit).unwrap();
        first
    }

    pub(super) fn digest(&mut self) -> Digest {
        let now_ms = self.now_ms;
        self.state().digest(now_ms).unwrap()
    }

    pub(super) fn seats(&mut self) -> SeatMap {
        seat_map(self.state(), CONCERT).unwrap().unwrap()
    }

    /// Everything sent to a sink.
    pub(super) fn sent(&self, sink: Sink) -> impl Iterator<Item = &Message> {
        self.forwarded
            .iter()
            .filter(move |sent| sent.sink == sink)
            .map(|sent| &sent.message)
    }

    /// Names of the published events in order.
    pub(super) fn event_names(&self) -> Vec<&'static str> {
        let name = |message: &Message| {
            stagedoor_avro::schema_of(message.value.as_ref().unwrap())
                .unwrap()
                .name
        };
        self.sent(EVENTS).map(name).collect()
    }
}

/// The one header that the rules read.
struct ValidUntil(Option<String>);

impl Headers for ValidUntil {
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        if let Some(text) = &self.0 {
            visit("valid-until", text.as_bytes());
        }
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0
            .as_ref()
            .filter(|_| name == "valid-until")
            .map(|text| text.as_bytes())
    }
}

pub(super) fn framed(command: &Command) -> Vec<u8> {
    match command {
        Command::PutConcert(command) => bytes(command),
        Command::HoldSeats(command) => bytes(command),
        Command::ReleaseHold(command) => bytes(command),
    }
}

pub(super) fn bytes<R: AvroRecord>(record: &R) -> Vec<u8> {
    let mut bytes = Vec::new();
    stagedoor_avro::encode(record, &mut bytes).unwrap();
    bytes
}

/// Sections A (3 rows of 5), B (2 rows of 4) and GA (6 places); 4 seats a user; 10 s a hold.
pub(super) fn concert(user: &str, command_id: &str) -> PutConcert {
    PutConcert {
        user: user.to_owned(),
        command_id: command_id.to_owned(),
        title: "Title".to_owned(),
        artist: "Artist".to_owned(),
        venue: "Venue".to_owned(),
        hall: None,
        run: Some("run".to_owned()),
        time_zone: "Asia/Seoul".to_owned(),
        starts_at_ms: CLOSES_MS,
        ends_at_ms: CLOSES_MS + 1,
        sale_opens_at_ms: OPENS_MS,
        sale_closes_at_ms: CLOSES_MS,
        currency: "KRW".to_owned(),
        max_seats_per_user: 4,
        hold_seconds: 10,
        sections: vec![
            rows("A", 3, 5, 100),
            rows("B", 2, 4, 70),
            places("GA", 6, 30),
        ],
    }
}

pub(super) fn rows(id: &str, rows: i32, seats_per_row: i32, price_minor: i64) -> SectionPlan {
    let (rows, seats_per_row) = (Some(rows), Some(seats_per_row));
    SectionPlan {
        rows,
        seats_per_row,
        ..section(id, price_minor)
    }
}

pub(super) fn places(id: &str, capacity: i32, price_minor: i64) -> SectionPlan {
    SectionPlan {
        capacity: Some(capacity),
        ..section(id, price_minor)
    }
}

fn section(id: &str, price_minor: i64) -> SectionPlan {
    let (id, name) = (id.to_owned(), format!("Section {id}"));
    SectionPlan {
        id,
        name,
        grade: "S".to_owned(),
        price_minor,
        ..SectionPlan::default()
    }
}

pub(super) fn hold(user: &str, command_id: &str, seats: &[&str]) -> Command {
    let seats = seats.iter().map(|seat| (*seat).to_owned()).collect();
    Command::HoldSeats(HoldSeats {
        seats,
        ..wish(user, command_id)
    })
}

pub(super) fn best(
    user: &str,
    command_id: &str,
    quantity: i32,
    section: Option<&str>,
    split: bool,
) -> Command {
    let best = Some(BestAvailable {
        quantity,
        section: section.map(str::to_owned),
        split,
    });
    Command::HoldSeats(HoldSeats {
        best,
        ..wish(user, command_id)
    })
}

pub(super) fn general(user: &str, command_id: &str, section: &str, quantity: i32) -> Command {
    let general = Some(GeneralPlaces {
        section: section.to_owned(),
        quantity,
    });
    Command::HoldSeats(HoldSeats {
        general,
        ..wish(user, command_id)
    })
}

/// Chosen seats and best available in one command, which is no command.
pub(super) fn two_wishes(user: &str, command_id: &str, seat: &str) -> Command {
    let best = Some(BestAvailable {
        quantity: 1,
        ..BestAvailable::default()
    });
    let seats = vec![seat.to_owned()];
    Command::HoldSeats(HoldSeats {
        seats,
        best,
        ..wish(user, command_id)
    })
}

fn wish(user: &str, command_id: &str) -> HoldSeats {
    let (user, command_id) = (user.to_owned(), command_id.to_owned());
    HoldSeats {
        user,
        command_id,
        ..HoldSeats::default()
    }
}

pub(super) fn release(user: &str, command_id: &str, reservation: &str) -> Command {
    Command::ReleaseHold(ReleaseHold {
        user: user.to_owned(),
        command_id: command_id.to_owned(),
        reservation: reservation.to_owned(),
    })
}

/// The code of a refusal, or `ok`.
pub(super) fn code(answer: &CommandResult) -> &str {
    answer
        .rejection
        .as_ref()
        .map_or("ok", |rejection| rejection.code.as_str())
}
