//! Options of a command line: `--flag value`, or `--flag=value`.

/// What is on a command line, one option after the other.
pub(crate) struct Flags<I> {
    args: I,
    /// The argument that was taken last.
    arg: String,
}

impl<I: Iterator<Item = String>> Flags<I> {
    pub(crate) fn of(args: impl IntoIterator<IntoIter = I>) -> Self {
        Self { args: args.into_iter(), arg: String::new() }
    }

    /// The next option, without its value.
    pub(crate) fn next(&mut self) -> Option<String> {
        self.arg = self.args.next()?;
        let flag = self.arg.split_once('=').map_or(&*self.arg, |(flag, _)| flag);
        Some(flag.to_owned())
    }

    /// Its value; what is wrong if it has none.
    pub(crate) fn value(&mut self) -> Result<String, String> {
        match self.arg.split_once('=') {
            Some((_, value)) => Ok(value.to_owned()),
            None => self.args.next().ok_or_else(|| format!("{} needs a value", self.arg)),
        }
    }

    /// Whether no value is attached to it.
    pub(crate) fn is_bare(&self) -> bool {
        !self.arg.contains('=')
    }

    /// What is wrong, if there is no such option.
    pub(crate) fn unknown(&self) -> String {
        format!("no option {}", self.arg)
    }
}
