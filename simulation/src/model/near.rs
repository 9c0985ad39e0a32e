//! The free seats nearest to taken ones, by looking at all of them.

use super::concert::Concert;
use super::hall::Seat;

/// Rows to the front and to the back that still count as near.
const ROWS_AWAY: usize = 8;

/// For each taken seat, hall by hall in the order of the request, the nearest free one that is
/// neither wanted nor proposed already: fewest steps over rows and seats together, then the nearer
/// row, the lower row, the lower seat.
pub(super) fn nearest_free(concert: &Concert, taken: &[String], wanted: &[String]) -> Vec<String> {
    let mut halls: Vec<usize> = Vec::new();
    for (hall, _) in wanted.iter().filter_map(|label| concert.find_seat(label)) {
        if !halls.contains(&hall) {
            halls.push(hall);
        }
    }
    let mut proposed = Vec::new();
    for hall in halls.into_iter().map(|hall| &concert.halls[hall]) {
        for from in taken.iter().filter_map(|label| hall.seat(label)) {
            let all = (1..=hall.rows.len())
                .flat_map(|row| (1..=hall.rows[row - 1].len()).map(move |number| (row, number)));
            let near = all
                .filter(|seat| hall.is_free(*seat) && seat.0.abs_diff(from.0) <= ROWS_AWAY)
                .map(|seat| (distance(seat, from), seat.0.abs_diff(from.0), seat))
                .filter(|(_, _, seat)| {
                    let label = hall.label(*seat);
                    !wanted.contains(&label) && !proposed.contains(&label)
                });
            proposed.extend(near.min().map(|(_, _, seat)| hall.label(seat)));
        }
    }
    proposed
}

fn distance(one: Seat, other: Seat) -> usize {
    one.0.abs_diff(other.0) + one.1.abs_diff(other.1)
}
