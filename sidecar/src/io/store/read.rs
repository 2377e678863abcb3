//! Reads a destination back: for people who look at results, and for a restarted
//! sidecar.

use super::failure::{Failure, classify};
use super::http::{with_call_context, within};
use super::local::Local;
use super::remote::{Remote, content_options};
use super::{Backend, Store, StoreError};
use futures::StreamExt;
use object_store::list::PaginatedListOptions;
use object_store::path::Path;
use object_store::{Attribute, Attributes, GetOptions, GetRange, GetResult};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

/// Bytes read from a file at a time.
const BLOCK_BYTES: usize = 256 << 10;

/// An object's size and attributes, as the store has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Size in bytes.
    pub bytes: u64,
    /// Content type; directories keep none.
    pub content_type: Option<String>,
    /// Content encoding; directories keep none.
    pub content_encoding: Option<String>,
}

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Key below the destination.
    pub key: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// One member of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its name: the last component of its key.
    pub name: String,
    /// Set if it is a folder itself.
    pub is_folder: bool,
}

impl Store {
    /// Returns an object's size and attributes; `None` when there is no object.
    pub async fn head(&self, key: &str) -> Result<Option<Head>, StoreError> {
        match self.backend() {
            Backend::Remote(remote) => {
                let options = GetOptions { head: true, ..GetOptions::default() };
                Ok(get(remote, key, options).await?.map(|found| head_of(&found)))
            }
            Backend::Local(local) => local.open(key)?.as_ref().map(head_of_file).transpose(),
        }
    }

    /// Returns a part of an object; `None` when there is no object.
    pub async fn read_range(&self, key: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, StoreError> {
        match self.backend() {
            Backend::Remote(remote) => {
                let options = GetOptions { range: Some(GetRange::Bounded(range)), ..content_options() };
                let Some(found) = get(remote, key, options).await? else { return Ok(None) };
                let expected = found.range.end - found.range.start;
                let (bytes, ended) = with_call_context(None, within(expected, found.bytes())).await;
                match bytes.flatten() {
                    Ok(bytes) => Ok(Some(bytes.to_vec())),
                    Err(error) => Err(classify(&error, &ended).into_write_error().into()),
                }
            }
            Backend::Local(local) => {
                let Some(mut file) = local.open(key)? else { return Ok(None) };
                let mut bytes = Vec::new();
                file.seek(SeekFrom::Start(range.start)).map_err(|error| unreadable(&error))?;
                file.take(range.end.saturating_sub(range.start))
                    .read_to_end(&mut bytes)
                    .map_err(|error| unreadable(&error))?;
                Ok(Some(bytes))
            }
        }
    }

    /// Passes a whole object to `take`, block by block, as it is stored; `None`
    /// when there is no object. `take` returns whether it wants more.
    pub async fn read_through(
        &self,
        key: &str,
        take: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<Option<Head>, StoreError> {
        match self.backend() {
            Backend::Remote(remote) => {
                let Some(found) = get(remote, key, content_options()).await? else { return Ok(None) };
                let head = head_of(&found);
                let mut blocks = found.into_stream();
                loop {
                    let (block, ended) = with_call_context(None, blocks.next()).await;
                    match block {
                        Some(Ok(block)) if take(&block) => {}
                        None | Some(Ok(_)) => return Ok(Some(head)),
                        Some(Err(error)) => {
                            return Err(classify(&error, &ended).into_write_error().into());
                        }
                    }
                }
            }
            Backend::Local(local) => {
                let Some(mut file) = local.open(key)? else { return Ok(None) };
                let head = head_of_file(&file)?;
                let mut block = vec![0; BLOCK_BYTES];
                loop {
                    let length = file.read(&mut block).map_err(|error| unreadable(&error))?;
                    if length == 0 || !take(&block[..length]) {
                        return Ok(Some(head));
                    }
                }
            }
        }
    }

    /// Passes the members of the destination itself to `take`, in no particular order and
    /// without entering its folders; page by page, so that memory does not depend on their number.
    pub async fn children(&self, take: &mut dyn FnMut(Child)) -> Result<(), StoreError> {
        match self.backend() {
            Backend::Remote(remote) => children_in_bucket(remote, take).await,
            Backend::Local(local) => children_in_directory(local, take),
        }
    }

    /// Passes every object below the destination to `take`, in no particular order.
    pub async fn list(&self, take: &mut dyn FnMut(Listed)) -> Result<(), StoreError> {
        match self.backend() {
            Backend::Remote(remote) => list_remote(remote, take).await,
            Backend::Local(local) => list_local(local, take),
        }
    }
}

async fn get(remote: &Remote, key: &str, options: GetOptions) -> Result<Option<GetResult>, StoreError> {
    let path = remote.path(key)?;
    let (found, ended) =
        with_call_context(remote.as_stored(), remote.reader().get_opts(&path, options)).await;
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) => match classify(&error, &ended) {
            Failure::NotFound(_) => Ok(None),
            failure @ (Failure::NotImplemented(_) | Failure::Write(_)) => {
                Err(failure.into_write_error().into())
            }
        },
    }
}

fn head_of(found: &GetResult) -> Head {
    Head {
        bytes: found.meta.size,
        content_type: attribute(&found.attributes, &Attribute::ContentType),
        content_encoding: attribute(&found.attributes, &Attribute::ContentEncoding),
    }
}

fn attribute(attributes: &Attributes, name: &Attribute) -> Option<String> {
    attributes.get(name).map(|value| value.as_ref().to_owned())
}

fn head_of_file(file: &File) -> Result<Head, StoreError> {
    let meta = file.metadata().map_err(|error| unreadable(&error))?;
    if !meta.is_file() {
        return Err(StoreError::Permanent("it is no regular file".to_owned()));
    }
    Ok(Head { bytes: meta.len(), ..Head::default() })
}

fn unreadable(error: &std::io::Error) -> StoreError {
    StoreError::Permanent(format!("it cannot be read: {error}"))
}

async fn list_remote(remote: &Remote, take: &mut dyn FnMut(Listed)) -> Result<(), StoreError> {
    let prefix = match remote.prefix() {
        "" => None,
        prefix => Some(Path::parse(prefix).map_err(|error| StoreError::Permanent(error.to_string()))?),
    };
    let mut objects = remote.reader().list(prefix.as_ref());
    loop {
        let (object, ended) = with_call_context(None, objects.next()).await;
        match object {
            None => return Ok(()),
            Some(Ok(object)) => {
                let full: &str = object.location.as_ref();
                let key = full.strip_prefix(remote.prefix()).unwrap_or(full).trim_start_matches('/');
                // The destination itself: the marker that consoles make of a folder.
                if !key.is_empty() {
                    take(Listed { key: key.to_owned(), bytes: object.size });
                }
            }
            Some(Err(error)) => return Err(classify(&error, &ended).into_write_error().into()),
        }
    }
}

async fn children_in_bucket(remote: &Remote, take: &mut dyn FnMut(Child)) -> Result<(), StoreError> {
    let prefix = match remote.prefix() {
        "" => None,
        prefix => Some(format!("{prefix}/")),
    };
    let mut page_token = None;
    loop {
        let options = PaginatedListOptions {
            delimiter: Some("/".into()),
            page_token,
            ..PaginatedListOptions::default()
        };
        let listing = remote.lister().list_paginated(prefix.as_deref(), options);
        let (page, ended) = with_call_context(None, listing).await;
        let page = page.map_err(|error| classify(&error, &ended).into_write_error())?;
        let child = |path: &Path, is_folder| {
            let name = path.filename().filter(|name| !name.is_empty())?;
            Some(Child { name: name.to_owned(), is_folder })
        };
        page.result.common_prefixes.iter().filter_map(|path| child(path, true)).for_each(&mut *take);
        page.result.objects.iter().filter_map(|object| child(&object.location, false)).for_each(&mut *take);
        page_token = page.page_token;
        if page_token.is_none() {
            return Ok(());
        }
    }
}

fn children_in_directory(local: &Local, take: &mut dyn FnMut(Child)) -> Result<(), StoreError> {
    for entry in std::fs::read_dir(local.root()).map_err(|error| unreadable(&error))? {
        let entry = entry.map_err(|error| unreadable(&error))?;
        // A name that is no text is nobody's whom we know.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type().map_err(|error| unreadable(&error))?;
        take(Child { name, is_folder: kind.is_dir() });
    }
    Ok(())
}

/// Lists a directory's files. Enters directories, and lists symbolic links as
/// they are.
fn list_local(local: &Local, take: &mut dyn FnMut(Listed)) -> Result<(), StoreError> {
    let mut open = vec![String::new()];
    while let Some(directory) = open.pop() {
        let entries = std::fs::read_dir(local.root().join(&directory)).map_err(|error| unreadable(&error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(&error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let key = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            let kind = entry.file_type().map_err(|error| unreadable(&error))?;
            if kind.is_dir() {
                open.push(key);
            } else {
                // A file that vanishes meanwhile has no size.
                let bytes = entry.metadata().map_or(0, |meta| meta.len());
                take(Listed { key, bytes });
            }
        }
    }
    Ok(())
}
