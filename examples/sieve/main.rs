//! Prime numbers, by a chain of components, each of which knows one of them:
//!
//! ```text
//! numbers ---> sieve 2 ---> sieve 3 ---> sieve 5 ---> ... ---> composer, for what is left
//! ```
//!
//! Each component is a process. What they execute is chosen at the command line: this program, at a
//! function of it, or a program that was built by itself and shares nothing with this one but the
//! names of what it is given.

mod args;
mod components;
#[path = "../common/flags.rs"]
mod flags;

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use res::kernel::linux::LinuxProgram;
use res::{Backend, Comp, ErrorKind, Fault, Name, Receiver, Sinv, Spsc};

pub(crate) use args::Args;
use components::{FROM, LAST, NEEDS, PRIME, TO, numbers, sieve};

fn main() -> ExitCode {
    let args = match Args::parse(env::args().skip(1)) {
        Ok(args) => args,
        Err(wrong) => {
            eprintln!("sieve: {wrong}\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    match answer(&args, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("sieve: {}", fault.text());
            ExitCode::FAILURE
        }
    }
}

/// Does what is asked for, and prints what came of it.
pub(crate) fn answer(args: &Args, out: &mut dyn Write) -> Result<(), Fault> {
    if args.help {
        return Ok(writeln!(out, "{}", args::USAGE)?);
    }
    let system = Sinv::new()?;
    let supply = match &args.programs {
        None => Supply::Functions,
        Some(directory) => Supply::programs(directory)?,
    };
    Ok(print(&primes(&system, &supply, args.last)?, out)?)
}

/// What the components execute.
enum Supply {
    /// Functions of this program.
    Functions,
    /// Programs of their own.
    Programs { numbers: LinuxProgram, sieve: LinuxProgram },
}

impl Supply {
    fn programs(directory: &Path) -> Result<Self, Fault> {
        let program = |name| {
            let path = directory.join(name);
            let failed = |error: &dyn core::fmt::Display| {
                Fault::new(ErrorKind::NotFound, format_args!("{}: {error}", path.display()))
            };
            let file = File::open(&path).map_err(|error| failed(&error))?;
            LinuxProgram::new(&file).map_err(|error| failed(&error))
        };
        Ok(Self::Programs { numbers: program("numbers")?, sieve: program("sieve")? })
    }

    fn numbers(&self, system: &Sinv) -> Result<Comp<Sinv>, Fault> {
        const NAME: Name = Name::new("numbers");
        let component = match self {
            Self::Functions => system.component(NAME, numbers::<Sinv>)?,
            Self::Programs { numbers, .. } => system.component_of(NAME, numbers)?,
        };
        system.limit(&component, NEEDS)?;
        Ok(component)
    }

    fn sieve(&self, system: &Sinv) -> Result<Comp<Sinv>, Fault> {
        const NAME: Name = Name::new("sieve");
        let component = match self {
            Self::Functions => system.component(NAME, sieve::<Sinv>)?,
            Self::Programs { sieve, .. } => system.component_of(NAME, sieve)?,
        };
        system.limit(&component, NEEDS)?;
        Ok(component)
    }
}

/// Composes the chain, lets it run to its end, and collects what it finds.
fn primes(system: &Sinv, supply: &Supply, last: u64) -> Result<Vec<u64>, Fault> {
    let mut components = vec![supply.numbers(system)?];
    let mut found = Vec::new();
    components[0].endow(LAST, last)?;
    let (to, mut rest) = system.chan::<Spsc, u64>(64)?;
    components[0].endow(TO, to)?;
    for _ in 0..primes_up_to_the_root(last) {
        let sieve = supply.sieve(system)?;
        let (to, next) = system.chan::<Spsc, u64>(64)?;
        let (prime, finds) = system.chan::<Spsc, u64>(1)?;
        sieve.endow(FROM, std::mem::replace(&mut rest, next))?;
        sieve.endow(TO, to)?;
        sieve.endow(PRIME, prime)?;
        components.push(sieve);
        found.push(finds);
    }
    components.iter().try_for_each(Comp::start)?;
    let mut primes = Vec::new();
    for mut prime in found {
        primes.push(prime.recv()?);
    }
    while let Ok(prime) = rest.recv() {
        primes.push(prime);
    }
    components.iter().try_for_each(|component| finish(system, component))?;
    Ok(primes)
}

/// How many components it takes: who is a product has a factor up to the root.
fn primes_up_to_the_root(last: u64) -> usize {
    let is_prime = |n: &u64| (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    (2..).take_while(|n| n * n <= last).filter(is_prime).count()
}

/// Waits for the end of a component; says which one failed.
fn finish(system: &Sinv, component: &Comp<Sinv>) -> Result<(), Fault> {
    let exit = component.wait(system.within(Duration::from_secs(120)));
    let exit = exit.map_err(|_| Fault::new(ErrorKind::TimedOut, "a component does not end"))?;
    let name = component.name();
    exit.ok().map_err(|fault| Fault::new(fault.kind(), format_args!("{name}: {fault}")))
}

/// Ten in a line.
fn print(primes: &[u64], out: &mut dyn Write) -> io::Result<()> {
    for line in primes.chunks(10) {
        let line: Vec<String> = line.iter().map(|prime| format!("{prime:>6}")).collect();
        writeln!(out, "{}", line.concat())?;
    }
    Ok(())
}
