//! The audit's own checkers over a run at rest: the same ones that look at a real Kafka.

use std::collections::BTreeMap;

use stagedoor_audit::{Report, Sources};
use stagedoor_topology::log::simulated::SimulatedCluster;
use stagedoor_topology::log::{InputPosition, TopicPartition};

use super::{LastOwners, Violation};
use crate::site::Site;

/// Audits a run; the first violation counts.
pub(crate) fn audit(
    cluster: &SimulatedCluster,
    site: &Site,
    stores: &LastOwners,
) -> Result<Report, Violation> {
    let log = cluster.client("audit");
    let partitions = 0..site.config.naming.partitions;
    let position = |partition| {
        let input = TopicPartition::new(site.commands.as_str(), partition);
        Some((partition, cluster.committed(&input)?))
    };
    let committed: BTreeMap<i32, InputPosition> = partitions.filter_map(position).collect();
    let report = stagedoor_audit::run(&Sources {
        max_record_bytes: site.config.max_record_bytes,
        stores: Some(stores),
        committed: Some(&committed),
        ..Sources::new(
            &*log,
            &site.topology,
            &site.config.naming,
            &site.config.secret,
        )
    });
    let report = report.map_err(|error| Violation::new("audit", error.to_string()))?;
    match report.violations.first() {
        None => Ok(report),
        Some(violation) => Err(Violation::new("audit", violation.to_string())),
    }
}
