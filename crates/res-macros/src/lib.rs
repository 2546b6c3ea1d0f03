//! The attributes `#[message]` and `#[interface]`. Use them through `res_api::message` and
//! `chan_impls::interface`, or the facade.

use proc_macro::TokenStream;
use proc_macro2::{Span, TokenStream as Tokens};
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Data, DataStruct, DeriveInput, Error, Field, Fields, GenericParam, Ident, ItemTrait,
    Token,
};

mod declared;
mod fields;
mod interface;
mod path;

use declared::{Declared, declared};
use path::path_of;

/// Makes a struct a message: plain data that may travel between components.
///
/// `#[message("name", version = 1)]` declares its identity, lays it out like C, and derives what
/// zerocopy needs to prove that it has no padding and no pointers. The fields are messages too; the
/// type of the last one is as visible as the message, because zerocopy's derive mentions it.
/// The crate that uses it depends on `res-api` or on the facade `res`, under whatever name.
///
/// The struct also becomes `Clone` and `Copy`.
#[proc_macro_attribute]
pub fn message(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let kept = item.clone();
    let declared = declared("message", arguments.into());
    written(kept, declared.and_then(|declared| expand(&declared, &syn::parse(item)?)))
}

/// Makes a trait an interface: a client that calls its methods elsewhere, and what hands requests to
/// any implementation of it.
///
/// `#[interface("name", version = 1)]` declares its identity, together with the names of the methods
/// and all types. The methods take `&mut self` and up to eight messages, and return a message, or
/// nothing. For a trait `Store` it writes
///
/// * `StoreClient<B>`, made `from` a `Caller<B, dyn Store>`: a method of each name, which returns a
///   `Result` with a `CallError`; `set_deadline` and `set_timeout`;
/// * what makes `dyn Store` an interface, so that there is `Callee<B, dyn Store>`, whose
///   `serve_with(&mut store)` answers.
///
/// Arguments travel in words of the frame where all fit into 32 bytes, results where they fit into
/// 24, and else in the payload, which is as large as the largest needs. What is no value of its type
/// ends the connection. The crate that uses it depends on `chan-impls` or on the facade `res`, under
/// whatever name.
#[proc_macro_attribute]
pub fn interface(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let kept = item.clone();
    let declared = declared("interface", arguments.into());
    let expanded = declared.and_then(|declared| {
        let item: ItemTrait = syn::parse(item).map_err(|error| {
            Error::new(error.span(), "an interface is a trait: its methods are what can be called")
        })?;
        interface::expand(&declared, &item)
    });
    written(kept, expanded)
}

fn written(kept: TokenStream, expanded: syn::Result<Tokens>) -> TokenStream {
    match expanded {
        Ok(expanded) => expanded.into(),
        // With the item, what uses it does not complain too.
        Err(error) => {
            kept.into_iter().chain(TokenStream::from(error.into_compile_error())).collect()
        }
    }
}

fn expand(declared: &Declared, item: &DeriveInput) -> syn::Result<Tokens> {
    let fields = named_fields(item)?;
    reject_generics(item)?;
    reject_attributes(&item.attrs)?;
    fields::check(fields)?;
    let Declared { name, version } = declared;
    let api = path_of(&["res-api", "res"]);
    let ident = &item.ident;
    // A constant of that name where the attribute is used would be taken for a pattern.
    let hash = Ident::new("__layout_hash", Span::mixed_site());
    let layout = fields.iter().map(|field| {
        let (name, ty) = (&field.ident, &field.ty);
        let text = name.as_ref().map(ToString::to_string).unwrap_or_default();
        let cfgs = field.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
        quote! {
            #(#cfgs)* {
                #hash = #api::layout_hash(#hash, #text.as_bytes());
                #hash = #api::layout_hash(#hash, &<#ty as #api::Message>::TAG.name.to_bytes());
                #hash = #api::layout_hash(#hash, &<#ty as #api::Message>::TAG.version.to_le_bytes());
                #hash = #api::layout_hash(#hash, &<#ty as #api::Message>::TAG.layout.to_le_bytes());
                #hash = #api::layout_hash(
                    #hash,
                    &(::core::mem::offset_of!(Self, #name) as ::core::primitive::u64).to_le_bytes(),
                );
            }
        }
    });
    let zerocopy = quote!(#api::zerocopy).to_string().replace(' ', "");
    Ok(quote! {
        #[::core::prelude::v1::derive(
            ::core::clone::Clone,
            ::core::marker::Copy,
            #api::zerocopy::TryFromBytes,
            #api::zerocopy::IntoBytes,
            #api::zerocopy::KnownLayout,
            #api::zerocopy::Immutable,
        )]
        #[zerocopy(crate = #zerocopy)]
        #[repr(C)]
        #item

        impl #api::Message for #ident {
            const TAG: #api::Tag = #api::Tag::of::<Self>(
                #api::Name::new(#name),
                #version,
                {
                    let mut #hash = #api::LAYOUT_SEED;
                    #(#layout)*
                    #hash
                },
            );
        }
    })
}

fn named_fields(item: &DeriveInput) -> syn::Result<&Punctuated<Field, Token![,]>> {
    let ident = &item.ident;
    let (span, cure) = match &item.data {
        Data::Struct(DataStruct { fields: Fields::Named(fields), .. }) => return Ok(&fields.named),
        Data::Struct(DataStruct { fields: fields @ Fields::Unnamed(_), .. }) => {
            (quote!(#fields), "give its fields names")
        }
        Data::Struct(_) => (quote!(#ident), "without any, write `{}`, or send `()`"),
        Data::Enum(_) => (quote!(#ident), "an enum travels as an integer, such as a field `u8`"),
        Data::Union(_) => (quote!(#ident), "a union travels as bytes, such as a field `[u8; 8]`"),
    };
    Err(Error::new_spanned(span, format!("a message is a struct with named fields: {cure}")))
}

fn reject_generics(item: &DeriveInput) -> syn::Result<()> {
    let why = match item.generics.params.first() {
        None => return Ok(()),
        Some(GenericParam::Lifetime(_)) => {
            "a message borrows nothing, as what it borrows does not travel: send the data itself"
        }
        Some(_) => {
            "a message has no parameters, as its layout must be known: write a struct for each type"
        }
    };
    Err(Error::new_spanned(&item.generics, why))
}

/// Rejects what the expansion would collide with.
fn reject_attributes(attributes: &[Attribute]) -> syn::Result<()> {
    for attribute in attributes {
        if attribute.path().is_ident("repr") {
            let why = "a message is laid out like C: leave `repr` out";
            return Err(Error::new_spanned(attribute, why));
        }
        if attribute.path().is_ident("derive") {
            attribute.parse_nested_meta(|meta| match meta.path.segments.last() {
                Some(last) if last.ident == "Clone" || last.ident == "Copy" => {
                    let why = "a message is `Clone` and `Copy` already: leave them out";
                    Err(Error::new_spanned(meta.path, why))
                }
                _ => Ok(()),
            })?;
        }
    }
    Ok(())
}
