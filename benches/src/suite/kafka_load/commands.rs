//! The commands of a run: which concerts, and the n-th hold.

use stagedoor_bench::mix::{
    GENERAL_CAPACITY, Kind, Mix, Request, Section, TooMany, Wish, concert_ids, general_admission,
};
use stagedoor_topology::partition_for;

/// The concerts and holds of one run.
#[derive(Clone, Debug)]
pub(crate) struct Commands {
    run: String,
    concerts: Vec<(String, i32)>,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    /// The mix that all systems under measure are asked for.
    Mix(Mix),
    /// A place for everybody, in all concerts in turn.
    Spread,
}

impl Commands {
    /// A mix with a user of his own for every request.
    pub(crate) fn of_mix(
        kind: Kind,
        requests: u64,
        run: &str,
        partitions: i32,
    ) -> Result<Self, TooMany> {
        let mix = Mix::new(kind, 1, requests, requests, run, partitions)?;
        let concerts = mix.concerts().to_vec();
        Ok(Self::new(run, concerts, partitions, Source::Mix(mix)))
    }

    /// `requests` places, which all succeed, in `concerts` concerts over all partitions in turn.
    pub(crate) fn spread(
        concerts: u64,
        requests: u64,
        run: &str,
        partitions: i32,
    ) -> Result<Self, TooMany> {
        let most = GENERAL_CAPACITY.saturating_mul(concerts);
        if requests > most {
            return Err(TooMany {
                wanted: requests,
                most,
            });
        }
        let ids = concert_ids(run, concerts, partitions);
        Ok(Self::new(run, ids, partitions, Source::Spread))
    }

    fn new(run: &str, ids: Vec<String>, partitions: i32, source: Source) -> Self {
        let place = |id: String| {
            let partition = partition_for(id.as_bytes(), partitions);
            (id, partition)
        };
        Self {
            run: run.to_owned(),
            concerts: ids.into_iter().map(place).collect(),
            source,
        }
    }

    /// Name of the run, with which every command id begins.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// Ids of the concerts, with their partitions.
    pub(crate) fn concerts(&self) -> &[(String, i32)] {
        &self.concerts
    }

    /// Command id of the `index`-th hold.
    pub(crate) fn command_id(&self, index: u64) -> String {
        format!("{}-{index}", self.run)
    }

    /// What every concert sells.
    pub(crate) fn sections(&self) -> Vec<Section> {
        match &self.source {
            Source::Mix(mix) => mix.sections(),
            Source::Spread => vec![general_admission()],
        }
    }

    /// The `index`-th hold.
    pub(crate) fn request(&self, index: u64) -> Request {
        match &self.source {
            Source::Mix(mix) => mix.request(index),
            Source::Spread => Request {
                concert: usize::try_from(index).unwrap_or(0) % self.concerts.len(),
                user: index,
                wish: Wish::Place,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_holds_reach_every_concert_and_every_partition() {
        let commands = Commands::spread(16, 100, "r", 8).unwrap();
        let mut partitions: Vec<i32> = (0..16)
            .map(|index| commands.concerts()[commands.request(index).concert].1)
            .collect();
        partitions.sort_unstable();
        partitions.dedup();
        assert_eq!(partitions, (0..8).collect::<Vec<_>>());
        assert!(Commands::spread(1, GENERAL_CAPACITY + 1, "r", 1).is_err());
    }
}
