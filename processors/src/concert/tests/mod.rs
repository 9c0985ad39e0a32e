//! Tests of the concert processor: stories as scripts, rules as tables, and properties against naive models.

mod behaviour;
mod best_available;
mod harness;
mod model;
mod naive_best;
mod properties;
mod record_types;
mod recovery;
mod rules;
mod stories;
mod written;
