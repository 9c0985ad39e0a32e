//! Stories: what happens to people, told as behaviour scripts. The usual concert has 4 seats a
//! user, holds of 10 s, and is on sale from 10 s to 500000 s.

use super::behaviour::plays;

#[test]
fn a_seat_is_held_once() {
    plays(
        "10s  ann/k1 holds A-2-3 B-1-1   => SeatsHeld A-2-3 B-1-1, ok
         10s  bob/k1 holds A-2-2 A-2-3   => seat_taken A-2-3 instead A-2-4
         10s  bob/k1 holds A-2-2         => SeatsHeld A-2-2, ok
         10s  look A B                   => 000000110000000 10000000",
    );
}

#[test]
fn an_expired_hold_is_free_from_its_deadline_on_and_not_before() {
    plays(
        "10s      ann/k1 holds A-1-1         => SeatsHeld A-1-1, ok
         19.999s  bob/k1 holds A-1-1         => seat_taken A-1-1 instead A-1-2
         20s      bob/k1 holds A-1-1         => HoldExpired A-1-1, SeatsHeld A-1-1, ok
         20s      ann/k2 releases ann/k1     => hold_expired
         20s      look A                     => 100000000000000
         30s      pass                       => HoldExpired A-1-1
         30s      look A                     => 000000000000000",
    );
}

#[test]
fn a_released_hold_is_free_and_cannot_be_released_again() {
    plays(
        "10s      ann/k1 holds A-1-1         => SeatsHeld A-1-1, ok
         10s      bob/k2 releases ann/k1     => not_owner
         10.001s  ann/k2 releases ann/k1     => HoldReleased A-1-1, ok
         10.002s  ann/k2 releases ann/k1     => ok
         10.003s  ann/k3 releases ann/k1     => wrong_state
         10.003s  bob/k1 holds A-1-1         => SeatsHeld A-1-1, ok",
    );
}

#[test]
fn the_limit_counts_all_live_holds_of_a_user() {
    plays(
        "10s  ann/k1 holds A-1-1 A-1-2    => SeatsHeld A-1-1 A-1-2, ok
         10s  ann/k2 general 3 GA         => limit_reached
         10s  ann/k2 general 2 GA         => SeatsHeld 2 GA, ok
         10s  ann/k3 best 1 anywhere      => limit_reached
         10s  ann/k4 releases ann/k1      => HoldReleased A-1-1 A-1-2, ok
         10s  ann/k3 best 3 anywhere      => limit_reached
         10s  ann/k3 best 2 anywhere      => SeatsHeld A-1-1 A-1-2, ok
         20s  ann/k5 best 4 anywhere      => HoldExpired 2 GA, HoldExpired A-1-1 A-1-2, SeatsHeld A-1-1 A-1-2 A-1-3 A-1-4, ok",
    );
}

#[test]
fn holds_are_accepted_inside_the_sale_window_only() {
    plays(
        "9.999s       ann/k1 holds A-1-1      => sale_not_open
         10s          ann/k1 holds A-1-1      => SeatsHeld A-1-1, ok
         499999.999s  ann/k2 holds A-1-1      => HoldExpired A-1-1, SeatsHeld A-1-1, ok
         500000s      bob/k1 holds A-1-2      => sale_closed
         500000s      ann/k3 releases ann/k2  => HoldReleased A-1-1, ok",
    );
}

#[test]
fn general_admission_ends_with_its_capacity() {
    plays(
        "10s  ann/k1 general 4 GA        => SeatsHeld 4 GA, ok
         10s  bob/k1 general 3 GA        => not_enough_seats
         10s  bob/k1 general 2 GA        => SeatsHeld 2 GA, ok
         10s  cat/k1 general 1 GA        => not_enough_seats
         10s  bob/k2 releases bob/k1     => HoldReleased 2 GA, ok
         10s  cat/k1 general 1 GA        => SeatsHeld 1 GA, ok
         10s  look GA                    => 1 free",
    );
}

#[test]
fn best_available_goes_through_the_sections_in_order() {
    plays(
        "10s  ann/k best 4 anywhere      => SeatsHeld A-1-1 A-1-2 A-1-3 A-1-4, ok
         10s  bob/k best 4 anywhere      => SeatsHeld A-2-1 A-2-2 A-2-3 A-2-4, ok
         10s  cat/k best 4 anywhere      => SeatsHeld A-3-1 A-3-2 A-3-3 A-3-4, ok
         10s  dan/k best 4 anywhere      => SeatsHeld B-1-1 B-1-2 B-1-3 B-1-4, ok
         10s  eve/k best 2 A             => not_enough_seats
         10s  eve/k best 2 A split       => SeatsHeld A-1-5 A-2-5, ok",
    );
}

#[test]
fn a_key_with_another_body_is_refused_whatever_its_first_use_was() {
    plays(
        "10s  ann/k1 holds A-1-1          => SeatsHeld A-1-1, ok
         10s  ann/k1 holds A-1-2          => idempotency_mismatch
         10s  ann/k1 general 1 GA         => idempotency_mismatch
         10s  ann/k1 releases ann/k1      => idempotency_mismatch
         10s  ann/k2 releases ann/k1      => HoldReleased A-1-1, ok
         10s  ann/k2 holds A-1-1          => idempotency_mismatch
         10s  organiser/put holds A-1-1   => idempotency_mismatch
         10s  bob/k1 holds A-1-2          => SeatsHeld A-1-2, ok",
    );
}

#[test]
fn a_refused_command_may_be_tried_again_with_its_key() {
    plays(
        "10s  ann/k1 holds A-1-1   => SeatsHeld A-1-1, ok
         10s  bob/k1 holds A-1-1   => seat_taken A-1-1 instead A-1-2
         20s  bob/k1 holds A-1-1   => HoldExpired A-1-1, SeatsHeld A-1-1, ok",
    );
}

#[test]
fn a_command_is_known_for_a_day_after_its_reservation_ended() {
    plays(
        "10s         ann/k1 holds A-1-1       => SeatsHeld A-1-1, ok
         10.001s     ann/k2 releases ann/k1   => HoldReleased A-1-1, ok
         1d+10s      ann/k2 releases ann/k1   => ok
         1d+10s      ann/k1 holds A-1-2       => idempotency_mismatch
         1d+10.001s  ann/k3 releases ann/k1   => hold_not_found
         1d+10.001s  ann/k1 holds A-1-2       => SeatsHeld A-1-2, ok
         1d+10.001s  ann/k2 releases ann/k1   => HoldReleased A-1-2, ok",
    );
}

#[test]
fn a_command_that_comes_too_late_has_no_effect_but_a_repeat_is_answered() {
    plays(
        "10.001s  ann/k1 holds A-1-1 until 10s       => command_expired
         10.001s  ann/k1 holds A-1-1 until 10.001s   => SeatsHeld A-1-1, ok
         10.002s  ann/k1 holds A-1-1 until 10s       => ok",
    );
}

#[test]
fn a_taken_seat_comes_with_the_nearest_free_ones() {
    plays(
        "10s  ann/k holds A-1-2 A-2-2 B-1-1   => SeatsHeld A-1-2 A-2-2 B-1-1, ok
         10s  bob/k holds A-1-1 A-1-2 B-1-1   => seat_taken A-1-2 B-1-1 instead A-1-3 B-1-2",
    );
}

#[test]
fn a_concert_is_put_once() {
    plays(
        "10s  ann/k1 holds A-1-1        => SeatsHeld A-1-1, ok
         10s  organiser/put puts it     => created
         10s  organiser/k2 puts it      => stands
         10s  organiser/k3 puts another => concert_differs
         10s  look A                    => 100000000000000",
    );
}

#[test]
fn rubbish_stops_nobody() {
    plays(
        "10s  rubbish               => dead letter
         10s  ann/k1 holds A-1-1    => SeatsHeld A-1-1, ok
         10s  rubbish               => dead letter
         20s  pass                  => HoldExpired A-1-1",
    );
}
