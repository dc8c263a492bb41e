// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stop_token>
#include <string>
#include <vector>

#include "formats/pkey.hpp"
#include "oci/blob_store.hpp"
#include "oci/reference.hpp"
#include "oci/registry_client.hpp"

namespace slipway::oci {

// Signatures of images as cosign makes and finds them with a key: each is a layer of the image under the tag "sha256-HEX.sig" of the
// signed image's repository, its content the payload, the signature an annotation.
// source cosign, specs/SIGNATURE_SPEC.md; containers/image, "simple signing"

/// What is signed.
///   repository  "host/name", as the image was called when it was signed
std::string signature_payload(const std::string& repository, const Digest& digest);

/// The image that a signature's payload names; nothing when it is none. Pure.
std::optional<Digest> signed_digest(std::string_view payload);

/// Signs what a name means in its registry, unless the key has signed it already.
///   key      private
///   store    takes what is pushed
///   returns  the digest that is signed: of the index when the name leads to one
///   throws   Error{not_found} "no such image", Error{denied, unavailable}
Digest sign_image(RegistryClient& client, BlobStore& store, const Reference& image,
                  const formats::Pkey& key, const std::stop_token& stop);

/// An image whose signature holds.
struct SignedImage {
  Digest digest;
  std::vector<std::string> payloads;  ///< of the signatures by the key
};
/// Checks that what a name means in its registry was signed with the private half of `key`.
///   throws  Error{denied} when it was not, or only something else was; Error{not_found} without the image or any signature;
///           Error{bad_input} for contents that lie; Error{unavailable}
SignedImage verify_image(RegistryClient& client, const Reference& image, const formats::Pkey& key,
                         const std::stop_token& stop);

}  // namespace slipway::oci
