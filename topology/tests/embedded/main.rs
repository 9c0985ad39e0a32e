//! The embedded log under kills, damage, full disks and old clocks.
#![cfg(feature = "embedded")]

mod damage;
mod disk;
mod formats;
mod kill;
mod small_log;
mod upkeep;
