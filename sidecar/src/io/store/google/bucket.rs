//! An emulator's bucket behind the traits by which objects are read.
//!
//! Only what is read back goes this way: writes go through [`JsonApi`] itself.

use super::JsonApi;
use super::request::{MEDIA, Resource, caused, error, open, percent_encoded, said, send};
use crate::io::store::http::{Outcome, last_outcome};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, CopyOptions, Extensions, GetOptions, GetRange, GetResult, GetResultPayload,
    ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use serde::Deserialize;
use std::fmt;

/// The bucket of an emulator.
#[derive(Clone, Debug)]
pub(in crate::io::store) struct EmulatorBucket(JsonApi);

impl EmulatorBucket {
    pub(in crate::io::store) fn new(api: JsonApi) -> Self {
        Self(api)
    }
}

impl fmt::Display for EmulatorBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.bucket)
    }
}

/// A page of a listing.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Page {
    items: Vec<Resource>,
    /// Folders, in a listing with a delimiter.
    prefixes: Vec<String>,
    next_page_token: Option<String>,
}

impl Page {
    /// Asks for a page; `query` begins with the prefix.
    async fn ask(api: &JsonApi, query: &str) -> Result<Self> {
        let url = format!("{}/storage/v1/b/{}/o?prefix={query}", api.address, api.bucket);
        let answer = send(api, "GET", &url, &[], Vec::new().into()).await?;
        serde_json::from_slice(&answer.body).map_err(|_| error("the answer is no listing"))
    }

    fn next(&self) -> Option<String> {
        self.next_page_token.clone().filter(|next| !next.is_empty())
    }

    fn objects(self) -> Vec<Result<ObjectMeta>> {
        let object = |resource: Resource| {
            let location = Path::parse(&resource.name).map_err(|_| error("a name is no path"))?;
            Ok(meta(&resource, location))
        };
        self.items.into_iter().map(object).collect()
    }
}

#[expect(clippy::default_trait_access, reason = "the time's type belongs to a crate that is no dependency")]
fn meta(resource: &Resource, location: Path) -> ObjectMeta {
    ObjectMeta {
        location,
        // Nobody looks at it.
        last_modified: Default::default(),
        size: resource.bytes().unwrap_or(0),
        e_tag: resource.e_tag(),
        version: resource.generation(),
    }
}

/// Adds that an object is absent, which the library's own clients tell by the status.
fn absent(failure: object_store::Error, path: &Path) -> object_store::Error {
    match last_outcome() {
        Some(Outcome::Answered { status: 404, .. }) => {
            object_store::Error::NotFound { path: path.to_string(), source: Box::new(failure) }
        }
        Some(_) | None => failure,
    }
}

#[async_trait]
impl ObjectStore for EmulatorBucket {
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let url = self.0.object_url(path);
        let described = send(&self.0, "GET", &url, &[], Vec::new().into()).await;
        let resource = Resource::parse(&described.map_err(|failure| absent(failure, path))?)?;
        let meta = meta(&resource, path.clone());
        let mut attributes = Attributes::new();
        if let Some(kind) = resource.content_type {
            attributes.insert(Attribute::ContentType, kind.into());
        }
        if let Some(encoding) = resource.content_encoding {
            attributes.insert(Attribute::ContentEncoding, encoding.into());
        }
        // None of them begins behind the end of the object, as it is now.
        let range = match options.range {
            Some(GetRange::Bounded(range)) => range.start.min(meta.size)..range.end.min(meta.size),
            Some(GetRange::Offset(start)) => start.min(meta.size)..meta.size,
            Some(GetRange::Suffix(bytes)) => meta.size.saturating_sub(bytes)..meta.size,
            None => 0..meta.size,
        };
        let content = if options.head || range.is_empty() {
            stream::empty().boxed()
        } else {
            let mut headers = vec![("accept-encoding", "gzip".to_owned())];
            if range != (0..meta.size) {
                headers.push(("range", format!("bytes={}-{}", range.start, range.end - 1)));
            }
            let response =
                open(&self.0, "GET", &format!("{url}{MEDIA}"), &headers, Vec::new().into()).await?;
            let status = response.status();
            if !status.is_success() {
                let body = response.into_body().bytes().await.map_err(caused)?;
                return Err(absent(error(&said(status.as_u16(), &body)), path));
            }
            let blocks = response.into_body().bytes_stream();
            blocks.map(|block| block.map_err(caused)).boxed()
        };
        let payload = GetResultPayload::Stream(content);
        Ok(GetResult { payload, meta, range, attributes, extensions: Extensions::default() })
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let api = self.0.clone();
        let prefix = prefix.map(|prefix| format!("{}%2F", percent_encoded(prefix.as_ref())));
        let prefix = prefix.unwrap_or_default();
        let pages = stream::try_unfold(Some(String::new()), move |token| {
            let (api, prefix) = (api.clone(), prefix.clone());
            async move {
                let Some(token) = token else { return Ok::<_, object_store::Error>(None) };
                let page = Page::ask(&api, &format!("{prefix}{token}")).await?;
                let next = page.next().map(|next| format!("&pageToken={}", percent_encoded(&next)));
                Ok(Some((stream::iter(page.objects()), next)))
            }
        });
        futures::TryStreamExt::try_flatten(pages).boxed()
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(object_store::Error::NotImplemented {
            operation: "put".to_owned(),
            implementer: self.to_string(),
        })
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(object_store::Error::NotImplemented {
            operation: "put".to_owned(),
            implementer: self.to_string(),
        })
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        stream::empty().boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(object_store::Error::NotImplemented {
            operation: "list".to_owned(),
            implementer: self.to_string(),
        })
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(object_store::Error::NotImplemented {
            operation: "copy".to_owned(),
            implementer: self.to_string(),
        })
    }
}

#[async_trait]
impl PaginatedListStore for EmulatorBucket {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        options: PaginatedListOptions,
    ) -> Result<PaginatedListResult> {
        let parts = [
            Some(percent_encoded(prefix.unwrap_or_default())),
            options.delimiter.map(|delimiter| format!("&delimiter={}", percent_encoded(&delimiter))),
            options.page_token.map(|token| format!("&pageToken={}", percent_encoded(&token))),
        ];
        let mut page = Page::ask(&self.0, &parts.into_iter().flatten().collect::<String>()).await?;
        let page_token = page.next();
        let folder = |name: String| {
            Path::parse(name.trim_end_matches('/')).map_err(|_| error("a folder's name is no path"))
        };
        let common_prefixes = std::mem::take(&mut page.prefixes).into_iter().map(folder);
        let common_prefixes = common_prefixes.collect::<Result<_>>()?;
        let objects = page.objects().into_iter().collect::<Result<_>>()?;
        let result = ListResult { common_prefixes, objects, extensions: Extensions::default() };
        Ok(PaginatedListResult { result, page_token })
    }
}

#[async_trait]
impl MultipartStore for EmulatorBucket {
    async fn create_multipart(&self, _: &Path) -> Result<String> {
        Err(object_store::Error::NotImplemented {
            operation: "put".to_owned(),
            implementer: self.to_string(),
        })
    }

    async fn put_part(&self, _: &Path, _: &String, _: usize, _: PutPayload) -> Result<PartId> {
        Err(object_store::Error::NotImplemented {
            operation: "put".to_owned(),
            implementer: self.to_string(),
        })
    }

    async fn complete_multipart(&self, _: &Path, _: &String, _: Vec<PartId>) -> Result<PutResult> {
        Err(object_store::Error::NotImplemented {
            operation: "put".to_owned(),
            implementer: self.to_string(),
        })
    }

    async fn abort_multipart(&self, _: &Path, _: &String) -> Result<()> {
        Err(object_store::Error::NotImplemented {
            operation: "put".to_owned(),
            implementer: self.to_string(),
        })
    }
}
