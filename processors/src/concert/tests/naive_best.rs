//! The best available seats by trying everything: obviously right, and slow.

/// A section as text: one string a row, `.` free.
pub(super) type Rows = Vec<Vec<bool>>;

/// A seat: row and number, from 1.
pub(super) type Seat = (usize, usize);

/// What a choice of groups (row, first number, seats) is judged by; lower is better.
type Judgement = (usize, usize, Vec<usize>, usize, Vec<Seat>);

/// The best choice of all.
pub(super) fn best(free: &Rows, quantity: usize, split: bool) -> Option<Vec<Seat>> {
    let mut choices = Vec::new();
    choose(
        free,
        0,
        quantity,
        if split { quantity } else { 1 },
        &mut Vec::new(),
        &mut choices,
    );
    let best = choices.into_iter().min_by_key(|groups| judge(free, groups));
    match best {
        Some(groups) => Some(seats(&groups)),
        None if split => scattered(free, quantity),
        None => None,
    }
}

/// All ways to take one group of neighbours in each of at most `rows` rows.
fn choose(
    free: &Rows,
    from: usize,
    quantity: usize,
    rows: usize,
    groups: &mut Vec<(usize, usize, usize)>,
    choices: &mut Vec<Vec<(usize, usize, usize)>>,
) {
    if quantity == 0 {
        choices.push(groups.clone());
        return;
    }
    if rows == 0 {
        return;
    }
    for row in from..free.len() {
        for first in 0..free[row].len() {
            for size in 1..=quantity {
                let inside = first + size <= free[row].len();
                if inside && free[row][first..first + size].iter().all(|free| *free) {
                    groups.push((row, first, size));
                    choose(free, row + 1, quantity - size, rows - 1, groups, choices);
                    groups.pop();
                }
            }
        }
    }
}

fn judge(free: &Rows, groups: &[(usize, usize, usize)]) -> Judgement {
    let mut after = free.clone();
    for (row, number) in seats(groups) {
        after[row - 1][number - 1] = false;
    }
    let off_centre =
        |(row, first, size): &(usize, usize, usize)| (2 * first + size).abs_diff(free[*row].len());
    (
        groups.len(),
        singles(&after)
            .filter(|seat| !is_single(free, *seat))
            .count(),
        groups.iter().map(|(row, _, _)| *row).collect(),
        groups.iter().map(off_centre).sum(),
        seats(groups),
    )
}

/// Free seats with no free neighbour.
fn singles(free: &Rows) -> impl Iterator<Item = Seat> {
    let rows = free.iter().enumerate();
    let all = rows.flat_map(|(row, seats)| (1..=seats.len()).map(move |number| (row + 1, number)));
    all.filter(|seat| is_single(free, *seat))
}

fn is_single(free: &Rows, (row, number): Seat) -> bool {
    let is_free = |number: usize| number > 0 && *free[row - 1].get(number - 1).unwrap_or(&false);
    is_free(number) && !is_free(number - 1) && !is_free(number + 1)
}

fn seats(groups: &[(usize, usize, usize)]) -> Vec<Seat> {
    let each = |(row, first, size): &(usize, usize, usize)| {
        let row = row + 1;
        (first + 1..=first + size).map(move |number| (row, number))
    };
    groups.iter().flat_map(each).collect()
}

/// Single seats from the rows with most free seats, for when neighbours cannot serve at all.
fn scattered(free: &Rows, quantity: usize) -> Option<Vec<Seat>> {
    let mut rows: Vec<usize> = (0..free.len()).collect();
    rows.sort_by_key(|row| {
        (
            usize::MAX - free[*row].iter().filter(|free| **free).count(),
            *row,
        )
    });
    let mut taken = Vec::new();
    for row in rows {
        for (number, free) in free[row].iter().enumerate() {
            if *free && taken.len() < quantity {
                taken.push((row + 1, number + 1));
            }
        }
    }
    taken.sort_unstable();
    (taken.len() == quantity).then_some(taken)
}
