//! What is brought about.

use std::fmt;
use std::str::FromStr;

use crate::error::FaultsError;

/// Kinds of faults, in the order in which they are brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// Workers and servers are killed (SIGKILL), and started again after a while.
    Kill,
    /// PostgreSQL ends, in order or as by a crash, and is started again.
    MetadataRestart,
    /// PostgreSQL with all its sessions stands still (SIGSTOP), and goes on.
    MetadataPause,
    /// The S3 server ends, in order or by SIGKILL, and is started again.
    ResultsStop,
    /// What goes to S3 and back crawls, or stands still.
    ResultsSlow,
    /// Nothing passes between a worker and PostgreSQL for longer than a lease.
    Cut,
    /// The clock of a worker is wrong by an hour.
    Clock,
    /// The disk of a worker is full.
    DiskFull,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Kill,
        Self::MetadataRestart,
        Self::MetadataPause,
        Self::ResultsStop,
        Self::ResultsSlow,
        Self::Cut,
        Self::Clock,
        Self::DiskFull,
    ];

    /// What it is called on the command line and in the report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::MetadataRestart => "postgresql-restart",
            Self::MetadataPause => "postgresql-pause",
            Self::ResultsStop => "s3-stop",
            Self::ResultsSlow => "s3-slow",
            Self::Cut => "cut",
            Self::Clock => "clock",
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
    type Err = FaultsError;

    fn from_str(name: &str) -> Result<Self, FaultsError> {
        Self::ALL
            .into_iter()
            .find(|fault| fault.name() == name)
            .ok_or_else(|| FaultsError::NoFault { name: name.to_owned(), known: Self::ALL.map(Self::name).join(" ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_its_fault_and_a_wrong_one_tells_the_others() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse::<Fault>().unwrap(), fault);
        }
        assert!("flood".parse::<Fault>().unwrap_err().to_string().contains("s3-slow"));
    }
}
