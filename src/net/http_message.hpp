// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::net {

/// Header fields in order; names compare ignoring case.
class Headers final {
 public:
  using Field = std::pair<std::string, std::string>;
  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  /// The first field's value; nothing when there is none.
  [[nodiscard]] std::optional<std::string> find(std::string_view name) const;
  /// The first field's value or `otherwise`.
  [[nodiscard]] std::string get(std::string_view name, std::string_view otherwise = "") const;
  [[nodiscard]] bool contains(std::string_view name) const;
  /// All values of a name, in order.
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
  /// Replaces all fields of that name by one.
  void set(std::string_view name, std::string_view value);
  void add(std::string_view name, std::string_view value);
  void remove(std::string_view name);
  [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }
  [[nodiscard]] auto begin() const { return fields_.begin(); }
  [[nodiscard]] auto end() const { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

/// A request as a client makes it.
struct HttpRequest {
  std::string method = "GET";
  std::string url;  ///< absolute
  Headers headers;  ///< Host and Content-Length are made from url and body
  std::string body;
};

/// A response with its body in memory (empty when the body was streamed).
struct HttpResponse {
  int status = 200;
  Headers headers;
  std::string body;
  [[nodiscard]] bool ok() const { return status >= 200 && status < 300; }
};

/// A header that would be several. throws Error{bad_input}
void refuse_line_end(std::string_view name, std::string_view value);
/// "OK", "Not Found"; "" for a status that has no name.
std::string_view reason_phrase(int status);
/// A response with a Content-Type.
HttpResponse text_response(int status, std::string_view body,
                           std::string_view type = "text/plain; charset=utf-8");

}  // namespace slipway::net
