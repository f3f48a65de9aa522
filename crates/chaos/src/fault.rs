//! Faults that can be injected into the test cluster.

use std::str::FromStr;

use crate::error::ChaosError;

clew_model::named_enum! {
    /// Fault that can be injected into the test cluster, with its name on the command line and in the report.
    /// By default, a run injects the faults in the order of the variants.
    pub enum Fault {
        /// Kills Clew workers and servers (SIGKILL) and restarts them later.
        Kill = "kill",
        /// Stops or crashes PostgreSQL and restarts it.
        PostgresRestart = "postgresql-restart",
        /// Pauses all PostgreSQL processes (SIGSTOP), then resumes them.
        PostgresPause = "postgresql-pause",
        /// Stops or kills the S3 server and restarts it.
        S3Stop = "s3-stop",
        /// Throttles or stalls the traffic between Clew and S3.
        S3Slow = "s3-slow",
        /// Blocks the traffic between a worker and PostgreSQL for longer than the lease of a collection.
        NetworkPartition = "network-partition",
        /// Shifts the clock of one worker by one hour.
        ClockShift = "clock",
        /// Fills the disk of a worker.
        DiskFull = "disk-full",
    }
}

impl FromStr for Fault {
    type Err = ChaosError;

    fn from_str(name: &str) -> Result<Self, ChaosError> {
        let unknown = || ChaosError::UnknownFault { name: name.to_owned(), names: Self::NAMES.join(" ") };
        Self::from_name(name).ok_or_else(unknown)
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
