//! `stagedoor topology`: the text of Kafka Streams' `Topology#describe()`.

use clap::Args;

use super::options::ConfigArgs;
use crate::exit::Failure;

/// Options of `topology`.
#[derive(Debug, Args)]
pub(crate) struct TopologyArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Prints the description, topics with their configured prefix.
#[expect(clippy::print_stdout, reason = "the text is what the command is for")]
pub(crate) fn run(args: &TopologyArgs) -> Result<(), Failure> {
    let settings = args.config.resolve(&args.config.layer()?)?;
    let topology = stagedoor_processors::topology();
    let topology = topology.map_err(|error| Failure::Problem(error.to_string()))?;
    print!("{}", topology.describe(&settings.topic_prefix));
    Ok(())
}
