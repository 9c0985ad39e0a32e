//! `PutConcert`: puts a concert on sale once; the same again changes nothing.

use super::{Decision, Event, Stop};
use crate::concert::code::{Code, invalid};
use crate::concert::command::Request;
use crate::concert::plan::problems;
use crate::concert::records::{Concert, PutConcert};

pub(super) fn put_concert<E>(
    request: &Request,
    plan: &PutConcert,
    concert: Option<&Concert>,
) -> Result<Decision, Stop<E>> {
    match concert {
        Some(concert) if concert.body_hash == request.body_hash => Ok(Decision::ConcertStands),
        Some(_) => {
            let detail = "a concert with this id and another body exists; take another id";
            Err(Code::ConcertDiffers.rejection(detail).into())
        }
        None => new_concert(request, plan).map(Decision::Happens),
    }
}

fn new_concert<E>(request: &Request, plan: &PutConcert) -> Result<Event, Stop<E>> {
    let problems = problems(&request.concert, plan);
    if !problems.is_empty() {
        return Err(invalid(problems).into());
    }
    let concert = Concert {
        command: request.scope,
        body_hash: request.body_hash,
        sale_opens_at_ms: plan.sale_opens_at_ms,
        sale_closes_at_ms: plan.sale_closes_at_ms,
        currency: plan.currency.clone(),
        max_seats_per_user: plan.max_seats_per_user,
        hold_seconds: plan.hold_seconds,
        created_at_ms: request.now_ms,
    };
    Ok(Event::ConcertPut {
        plan: Box::new(plan.clone()),
        concert,
    })
}
