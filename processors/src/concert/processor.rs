//! The processor: load, decide, evolve, put, forward.

use stagedoor_avro::AvroRecord;
use stagedoor_state::{Key as _, KeyReader, StateError};
use stagedoor_topology::{Context, Failure, Message, Processor, Record, Sink, TaskError};

use super::answers;
use super::code::Code;
use super::command::Request;
use super::concert_view::{ConcertView, Memos};
use super::decide::{Decision, Event, FirstAnswer, View, decide, due};
use super::evolve::{Change, evolve};
use super::lifecycle::KEEP_ENDED_MS;
use super::records::{CommandResult, Receipt, ReservationView};
use super::stores::{RECEIPTS, apply};
use super::{CATALOGUE, EVENTS, RESULTS};
use crate::id::Hash;

/// Decides the commands of every concert of one partition. It has no state of its own; what it
/// remembers, it could decode again.
#[derive(Default)]
pub struct ConcertProcessor {
    memos: Memos,
}

impl Processor for ConcertProcessor {
    fn process(&mut self, record: &Record<'_>, context: &mut Context<'_>) -> Result<(), TaskError> {
        let request = Request::read(record, context.time_ms())?;
        let view = ConcertView::new(
            &*context.state,
            &self.memos,
            &request.concert,
            request.now_ms,
        );
        let answer = match decide(&request, &view)? {
            Decision::Happens(event) => {
                let result = first_answer(&request, &event);
                let answer = framed(&result)?;
                let receipt = makes_no_row(&event).then(|| receipt(&request, &answer));
                let effect = Effect::of(&request.concert, event, result.reservation, &view)?;
                effect.make_true(&request.concert, context)?;
                if let Some(receipt) = receipt {
                    let key = (request.concert.clone(), request.scope);
                    context.state.put(&RECEIPTS, &key, &receipt)?;
                }
                answer
            }
            Decision::Repeated(first) => answer_again(&request, first)?,
            Decision::ConcertStands => framed(&answers::concert_put(&request, false))?,
            Decision::Refused(rejection) => framed(&answers::refused(&request, rejection))?,
        };
        forward_answer(record, request, answer, context);
        Ok(())
    }

    fn fire(&mut self, timer: &[u8], context: &mut Context<'_>) -> Result<(), TaskError> {
        let (_, concert, hash) = <(i64, String, Hash)>::read(&mut KeyReader::new(timer))?;
        let now_ms = context.time_ms();
        let view = ConcertView::new(&*context.state, &self.memos, &concert, now_ms);
        let event = view
            .reservation(&hash)?
            .and_then(|found| due(hash, found, now_ms));
        let event = event.ok_or_else(|| TaskError::Fatal {
            reason: format!("a timer of concert {concert} has nothing due; rebuild the indexes"),
        })?;
        Effect::of(&concert, event, None, &view)?.make_true(&concert, context)
    }

    fn answer_failure(
        &mut self,
        record: &Record<'_>,
        failure: &Failure,
        context: &mut Context<'_>,
    ) -> Result<(), TaskError> {
        // What cannot be read has nobody to answer to; its dead letter is all there is.
        let Ok(request) = Request::read(record, context.time_ms()) else {
            return Ok(());
        };
        let detail = format!("nothing happened ({}); the operators know", failure.code);
        let answer = answers::refused(&request, Code::Internal.rejection(detail));
        forward_answer(record, request, framed(&answer)?, context);
        Ok(())
    }
}

/// What an event does: computed whole before any of it touches the state.
struct Effect {
    published: Option<(Sink, Message)>,
    changes: Vec<Change>,
}

impl Effect {
    /// `answered` is the reservation as the answer shows it: a hold's fact says the same.
    fn of<V>(
        concert: &str,
        event: Event,
        answered: Option<ReservationView>,
        view: &V,
    ) -> Result<Self, TaskError>
    where
        V: View<Error = StateError>,
    {
        let published = published(concert, &event, answered)?;
        Ok(Self {
            published,
            changes: evolve(event, view)?,
        })
    }

    fn make_true(self, concert: &str, context: &mut Context<'_>) -> Result<(), TaskError> {
        apply(context.state, concert, self.changes)?;
        if let Some((sink, message)) = self.published {
            context.forward(sink, message);
        }
        Ok(())
    }
}

fn first_answer(request: &Request, event: &Event) -> CommandResult {
    match event {
        Event::ConcertPut { .. } => answers::concert_put(request, true),
        Event::SeatsHeld { hash, reservation } => {
            answers::held(&request.concert, *hash, reservation)
        }
        Event::HoldReleased { hash, reservation } | Event::HoldExpired { hash, reservation } => {
            answers::released(request, *hash, reservation)
        }
        Event::ReservationForgotten { .. } => answers::concert_put(request, false),
    }
}

/// Whether the command needs a receipt, because no row of its own remembers it.
fn makes_no_row(event: &Event) -> bool {
    match event {
        Event::HoldReleased { .. } => true,
        Event::ConcertPut { .. }
        | Event::SeatsHeld { .. }
        | Event::HoldExpired { .. }
        | Event::ReservationForgotten { .. } => false,
    }
}

fn receipt(request: &Request, answer: &[u8]) -> Receipt {
    Receipt {
        body_hash: request.body_hash,
        answer: answer.to_vec(),
        expires_at_ms: request.now_ms + KEEP_ENDED_MS,
    }
}

fn answer_again(request: &Request, first: FirstAnswer) -> Result<Vec<u8>, TaskError> {
    match first {
        FirstAnswer::ConcertPut => framed(&answers::concert_put(request, true)),
        FirstAnswer::Held(reservation) => framed(&answers::held(
            &request.concert,
            request.scope,
            &reservation,
        )),
        FirstAnswer::Receipt(answer) => Ok(answer),
    }
}

/// What other systems are told, in the order of each user's reservations.
fn published(
    concert: &str,
    event: &Event,
    answered: Option<ReservationView>,
) -> Result<Option<(Sink, Message)>, TaskError> {
    let (sink, key, value) = match event {
        Event::ConcertPut { plan, concert: row } => {
            let listing = framed(&answers::listing(plan, row))?;
            (CATALOGUE, concert.to_owned(), listing)
        }
        Event::SeatsHeld { hash, reservation } => {
            let view = answered.unwrap_or_else(|| answers::view(concert, *hash, reservation));
            let fact = answers::seats_held(view, reservation.held_at_ms);
            let value = framed(&fact)?;
            (EVENTS, fact.user, value)
        }
        Event::HoldReleased { hash, reservation } => {
            let fact = answers::hold_released(concert, *hash, reservation);
            let value = framed(&fact)?;
            (EVENTS, fact.user, value)
        }
        Event::HoldExpired { hash, reservation } => {
            let fact = answers::hold_expired(concert, *hash, reservation);
            let value = framed(&fact)?;
            (EVENTS, fact.user, value)
        }
        Event::ReservationForgotten { .. } => return Ok(None),
    };
    Ok(Some((
        sink,
        Message {
            key: key.into_bytes(),
            value: Some(value),
            ..Message::default()
        },
    )))
}

/// Answers go where their sender listens: to the partition it named, or by the command's id.
fn forward_answer(
    record: &Record<'_>,
    request: Request,
    answer: Vec<u8>,
    context: &mut Context<'_>,
) {
    let reply_to = record
        .header_text("reply-to")
        .and_then(|text| text.parse().ok());
    let traceparent = record
        .header("traceparent")
        .map(|value| ("traceparent", value.to_vec()));
    let message = Message {
        key: request.command.into_command_id().into_bytes(),
        value: Some(answer),
        partition: reply_to.filter(|partition: &i32| *partition >= 0),
        headers: traceparent.into_iter().collect(),
    };
    context.forward(RESULTS, message);
}

fn framed<R: AvroRecord>(record: &R) -> Result<Vec<u8>, TaskError> {
    let mut bytes = Vec::with_capacity(256);
    let encoded = stagedoor_avro::encode(record, &mut bytes);
    encoded.map_err(|error| TaskError::Fatal {
        reason: error.to_string(),
    })?;
    Ok(bytes)
}
