//! Faults that can be injected into the test cluster.

use std::fmt;
use std::str::FromStr;

use crate::error::ChaosError;

/// Fault that can be injected into the test cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// Kills Clew workers and servers (SIGKILL) and restarts them later.
    Kill,
    /// Stops or crashes PostgreSQL and restarts it.
    PostgresRestart,
    /// Pauses all PostgreSQL processes (SIGSTOP), then resumes them.
    PostgresPause,
    /// Stops or kills the S3 server and restarts it.
    S3Stop,
    /// Throttles or stalls the traffic between Clew and S3.
    S3Slow,
    /// Blocks the traffic between a worker and PostgreSQL for longer than the lease of a collection.
    NetworkPartition,
    /// Shifts the clock of one worker by one hour.
    ClockShift,
    /// Fills the disk of a worker.
    DiskFull,
}

impl Fault {
    /// All faults, in the default order of injection.
    pub const ALL: [Self; 8] = [
        Self::Kill,
        Self::PostgresRestart,
        Self::PostgresPause,
        Self::S3Stop,
        Self::S3Slow,
        Self::NetworkPartition,
        Self::ClockShift,
        Self::DiskFull,
    ];

    /// Returns the name of the fault, as used on the command line and in the report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::PostgresRestart => "postgresql-restart",
            Self::PostgresPause => "postgresql-pause",
            Self::S3Stop => "s3-stop",
            Self::S3Slow => "s3-slow",
            Self::NetworkPartition => "network-partition",
            Self::ClockShift => "clock",
            Self::DiskFull => "disk-full",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Fault {
    type Err = ChaosError;

    fn from_str(name: &str) -> Result<Self, ChaosError> {
        Self::ALL.into_iter().find(|fault| fault.name() == name).ok_or_else(|| ChaosError::UnknownFault {
            name: name.to_owned(),
            names: Self::ALL.map(Self::name).join(" "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_unknown_names_list_all_faults() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse::<Fault>().unwrap(), fault);
        }
        assert!("flood".parse::<Fault>().unwrap_err().to_string().contains("s3-slow"));
    }
}
