//! Every promise over a range of seeds; the product plays longer campaigns as `stagedoor simulate`.

use stagedoor_simulation::Campaign;

/// How many seeds the test plays, where the environment does not say.
const SEEDS: u64 = 120;

#[test]
fn every_promise_is_kept_over_many_seeds() {
    let wanted = std::env::var("STAGEDOOR_SIMULATION_SEEDS").ok();
    let campaign = Campaign {
        first_seed: 0,
        seeds: wanted.and_then(|text| text.parse().ok()).unwrap_or(SEEDS),
        at_most: None,
        shrinks: false,
    };
    let report = campaign.play();
    if let Some(failure) = &report.failure {
        panic!("{failure}");
    }
    assert!(report.passed(), "{report}");
}
