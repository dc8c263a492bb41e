// SPDX-License-Identifier: Apache-2.0
#include "net/http_message.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::net {
namespace {

auto named(std::string_view name) {
  return [name](const Headers::Field& field) { return equals_ignoring_case(field.first, name); };
}

}  // namespace

std::optional<std::string> Headers::find(std::string_view name) const {
  auto found = std::ranges::find_if(fields_, named(name));
  if (found == fields_.end()) return std::nullopt;
  return found->second;
}

std::string Headers::get(std::string_view name, std::string_view otherwise) const {
  return find(name).value_or(std::string(otherwise));
}

bool Headers::contains(std::string_view name) const {
  return std::ranges::any_of(fields_, named(name));
}

std::vector<std::string> Headers::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : fields_) {
    if (equals_ignoring_case(key, name)) values.push_back(value);
  }
  return values;
}

void Headers::set(std::string_view name, std::string_view value) {
  remove(name);
  add(name, value);
}

void Headers::add(std::string_view name, std::string_view value) {
  fields_.emplace_back(name, value);
}

void Headers::remove(std::string_view name) { std::erase_if(fields_, named(name)); }

void refuse_line_end(std::string_view name, std::string_view value) {
  constexpr std::string_view kEnds("\r\n\0", 3);
  if (name.find_first_of(kEnds) != std::string_view::npos ||
      value.find_first_of(kEnds) != std::string_view::npos)
    fail(Fault::bad_input, "the request header '{}' holds a line end", name);
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

HttpResponse text_response(int status, std::string_view body, std::string_view type) {
  return {status, {{"Content-Type", std::string(type)}}, std::string(body)};
}

}  // namespace slipway::net
