//! Where the crates are that the attributes write about.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::Span;
use syn::{Ident, Path};

/// The path of the first of these packages that there is where the attribute is used.
pub(crate) fn path_of(packages: &[&str]) -> Path {
    let first = packages.iter().find_map(|package| {
        match crate_name(package).ok()? {
            FoundCrate::Name(name) => Some(name),
            // Its examples and tests name it from outside.
            FoundCrate::Itself => Some(package.replace('-', "_")),
        }
    });
    let name = first.unwrap_or_else(|| packages[0].replace('-', "_"));
    let name = Ident::new(&name, Span::call_site());
    syn::parse_quote!(::#name)
}
