//! Chosen seats, over any number of sections.

use std::rc::Rc;

use super::{Hall, SectionBlocks, Selection, price};
use crate::concert::alternatives::alternatives;
use crate::concert::code::{Code, error, invalid, quoted};
use crate::concert::decide::{Stop, View};
use crate::concert::records::{Place, Rejection, SeatBlock};
use crate::concert::seats::{FREE, label, parse_label, seat};

/// A wanted seat, with the index of its hall.
type Wanted = (usize, Place);
/// The sections that are asked about, and what is wanted in them.
type Plan = (Vec<Hall>, Vec<Wanted>);

pub(super) fn select<V: View>(
    labels: &[String],
    view: &V,
    within_limit: impl Fn(usize) -> Result<(), Rejection>,
) -> Result<Selection, Stop<V::Error>> {
    no_seat_twice(labels)?;
    let (halls, wanted) = known_seats(labels, view)?;
    within_limit(wanted.len())?;
    all_free(&halls, &wanted, view)?;
    Ok(selection(&halls, &wanted))
}

fn no_seat_twice(labels: &[String]) -> Result<(), Rejection> {
    let repeated = |at: usize| labels[..at].contains(&labels[at]);
    let twice: Vec<_> = (1..labels.len()).filter(|at| repeated(*at)).collect();
    if twice.is_empty() {
        return Ok(());
    }
    let complain = |at: usize| error(format!("seats[{at}]"), "is in the request twice");
    Err(invalid(twice.into_iter().map(complain).collect()))
}

fn known_seats<V: View>(labels: &[String], view: &V) -> Result<Plan, Stop<V::Error>> {
    let mut halls: Vec<Hall> = Vec::with_capacity(1);
    let mut wanted = Vec::with_capacity(labels.len());
    for text in labels {
        let (section, place) = parse_label(text).ok_or_else(|| unknown_seat(text))?;
        let known = halls.iter().position(|hall| hall.id == section);
        let hall = known.unwrap_or(halls.len());
        if known.is_none() {
            halls.push(Hall::find(section, view)?);
        }
        if !halls[hall].layout.contains(place) {
            return Err(unknown_seat(text).into());
        }
        wanted.push((hall, place));
    }
    Ok((halls, wanted))
}

fn unknown_seat(text: &str) -> Rejection {
    let detail = format!("the concert has no seat {}", quoted(text));
    Code::UnknownSeat.rejection(detail)
}

fn all_free<V: View>(halls: &[Hall], wanted: &[Wanted], view: &V) -> Result<(), Stop<V::Error>> {
    let mut loaded: Vec<(usize, u16, Option<Rc<SeatBlock>>)> = Vec::with_capacity(1);
    let mut taken = Vec::new();
    for (hall, place) in wanted {
        let Hall { id, layout, .. } = &halls[*hall];
        let block = layout.block_of(place.row);
        let known = loaded
            .iter()
            .position(|(of, at, _)| (of, *at) == (hall, block));
        let at = known.unwrap_or(loaded.len());
        if known.is_none() {
            loaded.push((*hall, block, view.block(id, block).map_err(Stop::Failed)?));
        }
        let index = layout.index_of(*place);
        if loaded[at]
            .2
            .as_ref()
            .is_some_and(|block| seat(&block.bits, index) != FREE)
        {
            taken.push((*hall, *place));
        }
    }
    if taken.is_empty() {
        Ok(())
    } else {
        Err(seat_taken(halls, wanted, &taken, view)?)
    }
}

/// The refusal with what is taken, and what is free nearby.
fn seat_taken<V: View>(
    halls: &[Hall],
    wanted: &[Wanted],
    taken: &[Wanted],
    view: &V,
) -> Result<Stop<V::Error>, Stop<V::Error>> {
    let mut near = Vec::new();
    for (index, Hall { id, layout, .. }) in halls.iter().enumerate() {
        let of_hall = |seats: &[Wanted]| -> Vec<Place> {
            seats
                .iter()
                .filter(|(hall, _)| *hall == index)
                .map(|(_, place)| *place)
                .collect()
        };
        let taken_here = of_hall(taken);
        if taken_here.is_empty() || view.free(id).map_err(Stop::Failed)? == 0 {
            continue;
        }
        let blocks = SectionBlocks { view, section: id };
        let found = alternatives(*layout, &blocks, &taken_here, &of_hall(wanted));
        near.extend(
            found
                .map_err(Stop::Failed)?
                .into_iter()
                .map(|place| label(id, place)),
        );
    }
    let labels: Vec<_> = taken
        .iter()
        .map(|(hall, place)| label(&halls[*hall].id, *place))
        .collect();
    let detail = format!("taken already: {}; nothing was held", labels.join(", "));
    let rejection = Code::SeatTaken.rejection(detail);
    Ok(Stop::Refused(Rejection {
        taken: labels,
        alternatives: near,
        ..rejection
    }))
}

/// Seats in the order of the request, neighbours of one section together.
fn selection(halls: &[Hall], wanted: &[Wanted]) -> Selection {
    let groups = wanted.chunk_by(|(a, _), (b, _)| a == b);
    let mut selection = Selection::default();
    for group in groups {
        let hall = &halls[group[0].0];
        selection.amount_minor += price(&hall.section, group.len());
        selection
            .seats
            .push(hall.group(group.iter().map(|(_, place)| *place).collect()));
    }
    selection
}
