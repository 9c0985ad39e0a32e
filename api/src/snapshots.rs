//! From a snapshot of a concert's rows to the bodies that show it.

use stagedoor_processors::concert::queries;
use stagedoor_processors::concert::records::{Concert, ConcertDetails, Section};
use stagedoor_processors::concert::stores::{CONCERTS, SECTIONS};
use stagedoor_state::{ReadState, StateError, TypedRead as _};

use crate::bodies::availability::{
    ConcertDetail, GeneralCounts, Layout, SeatMapBody, SectionDetail, SectionLayout, SectionSeats,
};
use crate::bodies::listing::{ConcertItem, SaleStatus};
use crate::bodies::time::timestamp;

/// A concert with its counts; none if there is no such concert here.
pub(crate) fn detail(
    state: &dyn ReadState,
    concert: &str,
    now_ms: i64,
) -> Result<Option<ConcertDetail>, StateError> {
    let Some((row, details)) = rows(state, concert)? else {
        return Ok(None);
    };
    let Some(map) = queries::seat_map(state, concert)? else {
        return Ok(None);
    };
    let mut sections = Vec::with_capacity(map.sections.len());
    for seats in map.sections {
        let Some(layout) = section(state, concert, &seats.id)? else {
            continue;
        };
        sections.push(SectionDetail {
            layout,
            free: seats.counts.free.into(),
            held: seats.counts.held.into(),
            sold: seats.counts.sold.into(),
        });
    }
    Ok(Some(ConcertDetail {
        max_seats_per_user: row.max_seats_per_user,
        hold_seconds: row.hold_seconds,
        created_at: timestamp(row.created_at_ms),
        item: item(concert, row, details, now_ms),
        sections,
    }))
}

fn item(concert: &str, row: Concert, details: ConcertDetails, now_ms: i64) -> ConcertItem {
    ConcertItem {
        id: concert.to_owned(),
        title: details.title,
        artist: details.artist,
        venue: details.venue,
        hall: details.hall,
        run: details.run,
        time_zone: details.time_zone,
        status: SaleStatus::at(now_ms, row.sale_opens_at_ms, row.sale_closes_at_ms),
        starts_at: timestamp(details.starts_at_ms),
        ends_at: timestamp(details.ends_at_ms),
        sale_opens_at: timestamp(row.sale_opens_at_ms),
        sale_closes_at: timestamp(row.sale_closes_at_ms),
        currency: row.currency,
    }
}

/// The layout, and the hash of the body that made the concert: it never changes.
pub(crate) fn layout(
    state: &dyn ReadState,
    concert: &str,
) -> Result<Option<(Layout, [u8; 16])>, StateError> {
    let Some((row, details)) = rows(state, concert)? else {
        return Ok(None);
    };
    let mut sections = Vec::with_capacity(details.sections.len());
    for id in &details.sections {
        sections.extend(section(state, concert, id)?);
    }
    let layout = Layout {
        concert: concert.to_owned(),
        currency: row.currency,
        sections,
    };
    Ok(Some((layout, row.body_hash)))
}

/// Every seat.
pub(crate) fn seats(
    state: &dyn ReadState,
    concert: &str,
) -> Result<Option<SeatMapBody>, StateError> {
    let Some(map) = queries::seat_map(state, concert)? else {
        return Ok(None);
    };
    // A section of general admission has no seat to show, and every other has at least one.
    let (sections, general) = map
        .sections
        .into_iter()
        .partition(|it| !it.seats.is_empty());
    let sections: Vec<queries::SectionSeats> = sections;
    let general: Vec<queries::SectionSeats> = general;
    Ok(Some(SeatMapBody {
        version: map.version,
        sections: sections
            .into_iter()
            .map(|it| SectionSeats {
                id: it.id,
                seats: it.seats,
            })
            .collect(),
        general: general.into_iter().map(places).collect(),
    }))
}

fn places(section: queries::SectionSeats) -> GeneralCounts {
    GeneralCounts {
        id: section.id,
        free: section.counts.free.into(),
        held: section.counts.held.into(),
        sold: section.counts.sold.into(),
    }
}

fn rows(
    state: &dyn ReadState,
    concert: &str,
) -> Result<Option<(Concert, ConcertDetails)>, StateError> {
    let row = state.get(&CONCERTS, &concert.to_owned())?;
    Ok(row.zip(queries::details(state, concert)?))
}

fn section(
    state: &dyn ReadState,
    concert: &str,
    id: &str,
) -> Result<Option<SectionLayout>, StateError> {
    let row = state.get(&SECTIONS, &(concert.to_owned(), id.to_owned()))?;
    Ok(row.map(|row| section_layout(id, row)))
}

fn section_layout(id: &str, row: Section) -> SectionLayout {
    let numbered = row.rows > 0;
    SectionLayout {
        id: id.to_owned(),
        name: row.name,
        grade: row.grade,
        price_minor: row.price_minor,
        rows: numbered.then_some(row.rows),
        seats_per_row: numbered.then_some(row.seats_per_row),
        capacity: (!numbered).then_some(row.capacity),
    }
}
