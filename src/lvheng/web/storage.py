"""Static files with a hash in their names; files of packages that name missing maps are let be."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStorage(CompressedManifestStaticFilesStorage):
    manifest_strict = False
