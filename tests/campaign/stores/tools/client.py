"""An independent client: the providers' own libraries look at what was delivered.

  client.py '{"api": "S3", "endpoint": URL, "bucket": NAME, "keys": [ID, KEY]}' create
  client.py … read PREFIX     all objects below it: size, SHA-256, type, encoding, metadata
  client.py … text KEY        one object's text, and nothing when there is none
"""
import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor

THREADS = 8


class S3:
    def __init__(self, place):
        import boto3
        from botocore.config import Config
        access, secret = place['keys']
        # Stores of today do not all know the checksums of newer clients.
        config = Config(s3={'addressing_style': 'path'}, request_checksum_calculation='when_required',
                        response_checksum_validation='when_required', max_pool_connections=THREADS,
                        retries={'max_attempts': 5})
        self.client = boto3.client('s3', endpoint_url=place['endpoint'], aws_access_key_id=access, aws_secret_access_key=secret,
                                   region_name='us-east-1', config=config)
        self.bucket = place['bucket']

    def create(self):
        names = [bucket['Name'] for bucket in self.client.list_buckets()['Buckets']]
        if self.bucket not in names:
            self.client.create_bucket(Bucket=self.bucket)

    def keys(self, prefix):
        pages = self.client.get_paginator('list_objects_v2').paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry['Key'] for page in pages for entry in page.get('Contents', [])]

    def get(self, key):
        got = self.client.get_object(Bucket=self.bucket, Key=key)
        return got['Body'].read(), got.get('ContentType'), got.get('ContentEncoding'), got['Metadata']

    def text(self, key):
        try:
            return self.get(key)[0]
        except self.client.exceptions.NoSuchKey:
            return b''


class Google:
    def __init__(self, place):
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage
        options = {'api_endpoint': place['endpoint']}
        self.client = storage.Client(project='sample', credentials=AnonymousCredentials(), client_options=options)
        self.bucket = self.client.bucket(place['bucket'])

    def create(self):
        if not self.bucket.exists():
            self.client.create_bucket(self.bucket.name)

    def keys(self, prefix):
        return [blob.name for blob in self.client.list_blobs(self.bucket, prefix=prefix)]

    def get(self, key):
        # Without its description first: an emulator's link to the content is not percent-encoded.
        blob = self.bucket.blob(key)
        content = blob.download_as_bytes(raw_download=True)
        blob.reload()
        return content, blob.content_type, blob.content_encoding, blob.metadata or {}

    def text(self, key):
        return self.get(key)[0] if self.bucket.blob(key).exists() else b''


class Azure:
    def __init__(self, place):
        from azure.storage.blob import ContainerClient
        account, key = place['keys']
        connection = f"AccountName={account};AccountKey={key};BlobEndpoint={place['endpoint']}/{account}"
        self.client = ContainerClient.from_connection_string(connection, place['bucket'])

    def create(self):
        if not self.client.exists():
            self.client.create_container()

    def keys(self, prefix):
        return [blob.name for blob in self.client.list_blobs(name_starts_with=prefix)]

    def get(self, key):
        blob = self.client.get_blob_client(key)
        # Above 32 MiB it raises for packed blobs that it is to unpack.
        stream = blob.download_blob(decompress=False)
        settings = stream.properties.content_settings
        return stream.readall(), settings.content_type, settings.content_encoding, stream.properties.metadata or {}

    def text(self, key):
        blob = self.client.get_blob_client(key)
        return self.get(key)[0] if blob.exists() else b''


def described(store, key):
    try:
        content, kind, encoding, metadata = store.get(key)
    except Exception as error:
        raise RuntimeError(f'{key!r} cannot be read') from error
    return key, {'bytes': len(content), 'sha256': hashlib.sha256(content).hexdigest(), 'type': kind, 'encoding': encoding,
                 'metadata': metadata}


def main(place, command, argument=None):
    place = json.loads(place)
    store = {'S3': S3, 'Google': Google, 'Azure': Azure}[place['api']](place)
    if command == 'create':
        store.create()
    elif command == 'text':
        sys.stdout.buffer.write(store.text(argument))
    else:
        with ThreadPoolExecutor(THREADS) as pool:
            json.dump(dict(pool.map(lambda key: described(store, key), store.keys(argument))), sys.stdout)


main(*sys.argv[1:])
