//! Best available: the best seats of one section, or of the first section that can serve.

use super::{Hall, SectionBlocks, Selection, price};
use crate::concert::best_available::best_available;
use crate::concert::code::Code;
use crate::concert::decide::{Stop, View};
use crate::concert::records::BestAvailable;
use crate::concert::seats::Layout;

pub(super) fn select<V: View>(
    wish: &BestAvailable,
    quantity: usize,
    view: &V,
) -> Result<Selection, Stop<V::Error>> {
    let found = match &wish.section {
        Some(id) => in_section(&Hall::find(id, view)?, wish, quantity, view)?,
        None => in_any_section(wish, quantity, view)?,
    };
    found.ok_or_else(|| {
        let beside = if wish.split { "" } else { " beside each other" };
        let detail = format!("{quantity} seats{beside} are not free; ask for fewer, or elsewhere");
        Code::NotEnoughSeats.rejection(detail).into()
    })
}

/// Sections without enough free seats are passed over by their sum alone, unread.
fn in_any_section<V: View>(
    wish: &BestAvailable,
    quantity: usize,
    view: &V,
) -> Result<Option<Selection>, Stop<V::Error>> {
    let details = view.details().map_err(Stop::Failed)?;
    for id in details.iter().flat_map(|details| &details.sections) {
        if !enough_free(id, quantity, view)? {
            continue;
        }
        let section = view.section(id).map_err(Stop::Failed)?;
        let layout = section.as_deref().and_then(Layout::of);
        let (Some(section), Some(layout)) = (section, layout) else {
            continue;
        };
        let found = in_section(
            &Hall {
                id: id.clone(),
                section,
                layout,
            },
            wish,
            quantity,
            view,
        )?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn in_section<V: View>(
    hall: &Hall,
    wish: &BestAvailable,
    quantity: usize,
    view: &V,
) -> Result<Option<Selection>, Stop<V::Error>> {
    if !enough_free(&hall.id, quantity, view)? {
        return Ok(None);
    }
    let blocks = SectionBlocks {
        view,
        section: &hall.id,
    };
    let found = best_available(hall.layout, &blocks, quantity, wish.split).map_err(Stop::Failed)?;
    Ok(found.map(|seats| Selection {
        seats: vec![hall.group(seats)],
        general: Vec::new(),
        amount_minor: price(&hall.section, quantity),
    }))
}

fn enough_free<V: View>(id: &str, quantity: usize, view: &V) -> Result<bool, Stop<V::Error>> {
    let free = view.free(id).map_err(Stop::Failed)?;
    Ok(usize::try_from(free).unwrap_or(0) >= quantity)
}
