//! What can be said of fields by their looks, in better words than the compiler's. What is not
//! known by its looks is left to the compiler, which knows all.
//!
//! A type is taken for the one of that name in the prelude. Who has another of that name, which is
//! a message, names it by a path: `self::String`.

use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Field, GenericArgument, Lit, PathArguments, Token, Type};

pub(crate) fn check(fields: &Punctuated<Field, Token![,]>) -> syn::Result<()> {
    for field in fields {
        // zerocopy's derive makes identifiers of the names of fields, and panics.
        if let Some(name) = field.ident.as_ref().filter(|name| name.to_string().starts_with("r#")) {
            let why = "a field of a message is not named by a keyword: choose another name";
            return Err(Error::new_spanned(name, why));
        }
        if let Some(why) = cannot_travel(&field.ty) {
            return Err(Error::new_spanned(&field.ty, why));
        }
    }
    check_padding(fields)
}

pub(crate) fn cannot_travel(ty: &Type) -> Option<&'static str> {
    const REFERS: &str = "a message has no references or pointers, as what they point to does not \
                          travel: send the data itself, such as `[u8; 32]` with a length";
    const SIZE: &str = "the fields of a message have a fixed size: name a type that has, such as \
                        `[u8; 32]`";
    match bare(ty) {
        Type::Reference(_) | Type::Ptr(_) | Type::BareFn(_) => Some(REFERS),
        Type::Slice(_) | Type::TraitObject(_) => Some(SIZE),
        Type::Tuple(tuple) if !tuple.elems.is_empty() => {
            Some("a tuple has no fixed layout: make it a struct with `#[message]`")
        }
        Type::Array(array) => cannot_travel(&array.elem),
        ty => match prelude_name(ty)?.as_str() {
            "String" | "Vec<>" | "Box<>" => Some(REFERS),
            "str" => Some(SIZE),
            "usize" => Some("the size of a `usize` depends on the machine: use `u64` or `u32`"),
            "isize" => Some("the size of an `isize` depends on the machine: use `i64` or `i32`"),
            "char" => Some("a `char` travels as a number: use `u32`, and `char::from_u32`"),
            "Option<>" => {
                Some("an `Option` has no fixed layout: add a field that tells whether it is there")
            }
            _ => None,
        },
    }
}

/// Rejects padding where all the types are known. Alignment is that of 64-bit machines, so that a
/// message has the same layout on all.
fn check_padding(fields: &Punctuated<Field, Token![,]>) -> syn::Result<()> {
    let (mut end, mut greatest) = (0_u64, 1);
    for field in fields {
        let conditional = field.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"));
        let Some((size, align)) = size_and_align(&field.ty).filter(|_| !conditional) else {
            return Ok(());
        };
        reject_gap(field, end, align, "before this field: begin with the largest fields, or")?;
        end = end.saturating_add(size);
        greatest = greatest.max(align);
    }
    match fields.last() {
        Some(last) => reject_gap(last, end, greatest, "at the end:"),
        None => Ok(()),
    }
}

fn reject_gap(field: &Field, end: u64, align: u64, there: &str) -> syn::Result<()> {
    let gap = (align - end % align) % align;
    if gap == 0 {
        return Ok(());
    }
    Err(Error::new_spanned(
        field,
        format!(
            "a message has no padding, and there would be {gap} byte(s) of it {there} write a \
             field `[u8; {gap}]` there"
        ),
    ))
}

fn size_and_align(ty: &Type) -> Option<(u64, u64)> {
    let size = match bare(ty) {
        Type::Array(array) => {
            let Expr::Lit(ExprLit { lit: Lit::Int(len), .. }) = &array.len else { return None };
            let (size, align) = size_and_align(&array.elem)?;
            return Some((size.checked_mul(len.base10_parse().ok()?)?, align));
        }
        Type::Tuple(tuple) if tuple.elems.is_empty() => return Some((0, 1)),
        ty => match prelude_name(ty)?.as_str() {
            "u8" | "i8" | "bool" => 1,
            "u16" | "i16" => 2,
            "u32" | "i32" | "f32" => 4,
            "u64" | "i64" | "f64" => 8,
            "u128" | "i128" => 16,
            _ => return None,
        },
    };
    Some((size, size))
}

/// The name of a type that is written as in the prelude: `u8`, `Vec<>` for `Vec<T>`.
fn prelude_name(ty: &Type) -> Option<String> {
    let Type::Path(ty) = ty else { return None };
    if ty.qself.is_some() || ty.path.leading_colon.is_some() || ty.path.segments.len() != 1 {
        return None;
    }
    let segment = ty.path.segments.first()?;
    match &segment.arguments {
        PathArguments::None => Some(segment.ident.to_string()),
        // Of one parameter only: a `Vec<T, N>` may well be plain data.
        PathArguments::AngleBracketed(list) => match list.args.first() {
            Some(GenericArgument::Type(_)) if list.args.len() == 1 => {
                Some(format!("{}<>", segment.ident))
            }
            _ => None,
        },
        PathArguments::Parenthesized(_) => None,
    }
}

/// The type without the groups that macros and parentheses put around it.
fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        ty => ty,
    }
}
