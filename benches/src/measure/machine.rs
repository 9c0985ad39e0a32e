//! The machine of a measurement, since a figure without one means nothing.

use std::fs;

use serde::Serialize;

/// What of a machine decides its figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// The processor's name.
    pub model: String,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// The kernel's release.
    pub kernel: String,
}

impl Machine {
    /// This machine; what cannot be read is `unknown` or 0.
    #[must_use]
    pub fn this() -> Self {
        let read = |file| fs::read_to_string(file).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let kilobytes = memory
            .split(' ')
            .next()
            .and_then(|text| text.parse::<u64>().ok());
        let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
        Self {
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            model: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
            memory_bytes: kilobytes.unwrap_or(0) * 1024,
            kernel: if kernel.is_empty() { unknown() } else { kernel },
        }
    }
}

/// Processor time that the whole machine has spent so far, in seconds, with what a hypervisor took
/// for others; 0 where there is no `/proc`. Less what one has measured, it says whether one was
/// alone.
#[must_use]
pub fn busy_cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    busy_ticks(&text).unwrap_or(0.0) / super::process::TICKS_PER_SECOND
}

/// All columns but idle time and waiting for a disk; those of guests are in the first two already.
fn busy_ticks(stat: &str) -> Option<f64> {
    let columns = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks = columns.split_whitespace().map(str::parse::<f64>);
    let ticks: Vec<f64> = ticks.collect::<Result<_, _>>().ok()?;
    let busy = [0, 1, 2, 5, 6, 7].map(|at| ticks.get(at).copied().unwrap_or(0.0));
    Some(busy.iter().sum())
}

fn unknown() -> String {
    "unknown".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_and_waiting_are_not_busy() {
        let stat = "cpu  1 2 4 1000 2000 8 16 32 64 128\ncpu0 9 9 9\n";
        assert_eq!(busy_ticks(stat), Some(63.0));
        assert_eq!(busy_ticks("intr 1"), None);
    }

    #[test]
    fn this_machine_has_cores_and_memory() {
        let machine = Machine::this();
        assert!(
            machine.cores > 0 && machine.memory_bytes > 1 << 28,
            "{machine:?}"
        );
        assert!(!machine.model.is_empty() && !machine.kernel.contains('\n'));
    }
}
