//! Best available against a search of all choices, and each judgement shown by an example.

use std::convert::Infallible;
use std::rc::Rc;

use proptest::prelude::*;

use super::naive_best::{self, Rows, Seat};
use crate::concert::best_available::{Blocks, best_available};
use crate::concert::records::{Place, SeatBlock};
use crate::concert::seats::{HELD, Layout, set_seat};

struct Map {
    layout: Layout,
    blocks: Vec<Option<SeatBlock>>,
}

impl Blocks for Map {
    type Error = Infallible;

    fn block(&self, block: u16) -> Result<Option<Rc<SeatBlock>>, Infallible> {
        Ok(self.blocks[usize::from(block)].clone().map(Rc::new))
    }
}

impl Map {
    fn new(free: &Rows) -> Self {
        let size = |count: usize| u16::try_from(count).unwrap();
        let layout = Layout {
            rows: size(free.len()),
            seats_per_row: size(free[0].len()),
        };
        let mut blocks = vec![None; usize::from(layout.blocks())];
        for (row, seats) in free.iter().enumerate() {
            for (number, free) in seats.iter().enumerate() {
                if !free {
                    let place = Place {
                        row: size(row + 1),
                        number: size(number + 1),
                    };
                    let at = layout.block_of(place.row);
                    let block = blocks[usize::from(at)].get_or_insert_with(|| layout.untouched(at));
                    set_seat(&mut block.bits, layout.index_of(place), HELD);
                }
            }
        }
        Self { layout, blocks }
    }

    fn best(&self, quantity: usize, split: bool) -> Option<Vec<Seat>> {
        let Ok(found) = best_available(self.layout, self, quantity, split);
        let seat = |place: Place| (usize::from(place.row), usize::from(place.number));
        found.map(|seats| seats.into_iter().map(seat).collect())
    }
}

fn rows_of(
    rows: std::ops::Range<usize>,
    seats: std::ops::Range<usize>,
) -> impl Strategy<Value = Rows> {
    (rows, seats, 0.05..0.95_f64).prop_flat_map(|(rows, seats, share)| {
        let row = proptest::collection::vec(proptest::bool::weighted(share), seats);
        proptest::collection::vec(row, rows)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_choice_in_one_row_is_better(free in rows_of(1..8, 1..24), quantity in 1_usize..8) {
        prop_assert_eq!(Map::new(&free).best(quantity, false), naive_best::best(&free, quantity, false));
    }

    #[test]
    fn no_choice_over_several_rows_is_better(
        free in rows_of(1..5, 1..8),
        quantity in 1_usize..6,
    ) {
        prop_assert_eq!(Map::new(&free).best(quantity, true), naive_best::best(&free, quantity, true));
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn long_rows_and_many_blocks_are_judged_alike(
        free in rows_of(1..4, 60..600),
        quantity in 1_usize..11,
    ) {
        prop_assert_eq!(Map::new(&free).best(quantity, false), naive_best::best(&free, quantity, false));
    }
}

/// Rows as text, `.` free; the chosen seats are marked in the answer.
fn chosen(rows: &[&str], quantity: usize, split: bool) -> Vec<String> {
    let free: Rows = rows
        .iter()
        .map(|row| row.chars().map(|seat| seat == '.').collect())
        .collect();
    let mut marked: Vec<Vec<char>> = rows.iter().map(|row| row.chars().collect()).collect();
    for (row, number) in Map::new(&free).best(quantity, split).unwrap_or_default() {
        marked[row - 1][number - 1] = '#';
    }
    marked
        .into_iter()
        .map(|row| row.into_iter().collect())
        .collect()
}

/// Why, the rows, how many seats, whether split, and what is chosen.
type Example<'a> = (&'a str, &'a [&'a str], usize, bool, &'a [&'a str]);

#[test]
fn each_judgement_decides_where_those_before_it_do_not() {
    let cases: [Example<'_>; 9] = [
        (
            "an empty row: the middle",
            &["......."],
            3,
            false,
            &["..###.."],
        ),
        (
            "two middles: the lower number",
            &["......"],
            1,
            false,
            &["..#..."],
        ),
        (
            "a single seat is not left beside",
            &["x.....x"],
            3,
            false,
            &["x###..x"],
        ),
        (
            "fewer singles before a lower row",
            &["x...x", "x..xx"],
            2,
            false,
            &["x...x", "x##xx"],
        ),
        (
            "a lower row before the middle",
            &["..xxx", "....."],
            2,
            false,
            &["##xxx", "....."],
        ),
        (
            "not split unless asked",
            &["x.x.x", "x...x"],
            4,
            false,
            &["x.x.x", "x...x"],
        ),
        (
            "split over as few rows as possible",
            &["..xxx", "...xx", "..xxx"],
            5,
            true,
            &["##xxx", "###xx", "..xxx"],
        ),
        (
            "one row even where split is asked",
            &["..xx", "...."],
            3,
            true,
            &["..xx", "###."],
        ),
        (
            "apart only if neighbours cannot serve",
            &[".x.x."],
            3,
            true,
            &["#x#x#"],
        ),
    ];
    for (why, rows, quantity, split, expected) in cases {
        assert_eq!(chosen(rows, quantity, split), expected, "{why}");
    }
}
