// SPDX-License-Identifier: Apache-2.0
#include "net/http_client.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <exception>

#include "base/text.hpp"
#include "net/curl_session.hpp"
#include "net/file_body.hpp"
#include "net/stream.hpp"

namespace slipway::net {
namespace {

bool is_redirect(const HttpResponse& response) {
  constexpr std::array<int, 5> kRedirects = {301, 302, 303, 307, 308};
  return std::ranges::find(kRedirects, response.status) != kRedirects.end() &&
         response.headers.contains("Location");
}

/// One request under way: what the callbacks work on. Exceptions wait here: they must not cross
/// libcurl.
struct Transfer {
  const HttpRequest& request;
  const Exchange& exchange;
  bool follows_redirects;
  std::optional<formats::MemoryReader> memory;
  std::optional<FileBodyReader> file;
  formats::Reader* source;
  HttpResponse response;
  bool has_head = false;
  bool is_dropped = false;  // a redirect's body
  formats::Writer* sink = nullptr;
  std::exception_ptr thrown;

  Transfer(const HttpRequest& what, const Exchange& how, bool redirects)
      : request(what),
        exchange(how),
        follows_redirects(redirects),
        memory(what.body),
        source(how.upload == nullptr ? &*memory : how.upload) {
    if (how.file) source = &file.emplace(*how.file);
  }

  /// Runs `work`, keeping what it throws; `otherwise` then tells libcurl to give up.
  template <typename Result, typename Work>
  Result guarded(Result otherwise, Work work) noexcept {
    try {
      return work();
    } catch (...) {
      thrown = std::current_exception();
      return otherwise;
    }
  }
  void header_line(std::string_view line) {
    if (has_head) return;  // trailers
    if (line.starts_with("HTTP/")) {
      response = {};
      auto space = line.find(' ');
      auto status = space == std::string_view::npos ? std::nullopt
                                                    : to_integer(trim(line).substr(space + 1, 3));
      response.status = status ? static_cast<int>(*status) : 0;
    } else if (trim(line).empty()) {
      if (response.status < 200) return;  // 100 Continue: the real head follows
      has_head = true;
      is_dropped = follows_redirects && is_redirect(response);
      if (!is_dropped && exchange.on_head) sink = exchange.on_head(response);
    } else if (auto colon = line.find(':'); colon != std::string_view::npos) {
      response.headers.add(trim(line.substr(0, colon)), trim(line.substr(colon + 1)));
    }
  }
  void body(std::string_view bytes) {
    if (is_dropped) return;
    if (sink != nullptr) {
      sink->write(bytes);
      return;
    }
    if (response.body.size() + bytes.size() > exchange.most_body_bytes) {
      fail(Fault::unavailable, "the response is larger than {} bytes", exchange.most_body_bytes);
    }
    response.body += bytes;
  }

  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.guarded(std::size_t{0}, [&] {
      transfer.header_line({data, size});
      return size;
    });
  }
  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.guarded(std::size_t{CURL_WRITEFUNC_ERROR}, [&] {
      transfer.body({data, size});
      return size;
    });
  }
  static std::size_t on_read(char* data, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.guarded(std::size_t{CURL_READFUNC_ABORT}, [&] {
      return transfer.source->read({data, size});
    });
  }
  static curl_socket_t on_socket(void* self, curlsocktype, curl_sockaddr* address) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.guarded<curl_socket_t>(CURL_SOCKET_BAD, [&] {
      if (is_link_local(address->addr))
        fail(Fault::denied, "{} leads to a link-local address, which tells a machine its secrets",
             transfer.request.url);
      return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    });
  }
  static int on_seek(void* self, curl_off_t offset, int origin) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.guarded(CURL_SEEKFUNC_FAIL, [&] {
      if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_FAIL;
      if (transfer.file) {
        transfer.file->rewind();
        return CURL_SEEKFUNC_OK;
      }
      if (transfer.exchange.upload == nullptr) {
        transfer.memory.emplace(transfer.request.body);
        return CURL_SEEKFUNC_OK;
      }
      if (!transfer.exchange.rewind) return CURL_SEEKFUNC_FAIL;
      transfer.exchange.rewind();
      return CURL_SEEKFUNC_OK;
    });
  }
};

/// Header lines in libcurl's own notation.
void add_headers(List& list, const HttpRequest& request, const Exchange& exchange) {
  bool has_expect = false;
  for (const auto& [name, value] : request.headers) {
    refuse_line_end(name, value);
    has_expect = has_expect || equals_ignoring_case(name, "Expect");
    list.add(value.empty() ? name + ";" : name + ": " + value);
  }
  if (!has_expect) list.add(exchange.expect_continue ? "Expect: 100-continue" : "Expect:");
}

void set_body(CURL* easy, const HttpRequest& request, Transfer& transfer) {
  const Exchange& exchange = transfer.exchange;
  bool has_body = exchange.upload != nullptr || exchange.file || !request.body.empty() ||
                  request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (request.method == "HEAD") {
    curl().easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (has_body) {
    constexpr std::uint64_t kLarge = 1U << 20;
    std::optional<std::uint64_t> size =
        exchange.upload == nullptr ? request.body.size() : exchange.upload_size;
    if (exchange.file) size = exchange.file->size;
    curl().easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl().easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                       size ? static_cast<curl_off_t>(*size) : curl_off_t{-1});
    if (!size || *size >= kLarge) curl().easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 2L << 20);
    curl().easy_setopt(easy, CURLOPT_READFUNCTION, &Transfer::on_read);
    curl().easy_setopt(easy, CURLOPT_READDATA, &transfer);
    curl().easy_setopt(easy, CURLOPT_SEEKFUNCTION, &Transfer::on_seek);
    curl().easy_setopt(easy, CURLOPT_SEEKDATA, &transfer);
    curl().easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, 2000L);
  }
  if (request.method != "HEAD" && request.method != "GET")
    curl().easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (request.method == "GET" && has_body) curl().easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "GET");
}

/// Drives the transfer to its end, the deadline or the stop.
void perform(Session& session, const Url& url, Transfer& transfer, const std::stop_token& stop,
             Deadline deadline) {
  std::array<char, CURL_ERROR_SIZE> message{};
  curl().easy_setopt(session.easy, CURLOPT_ERRORBUFFER, message.data());
  struct Added {
    Session& session;
    explicit Added(Session& to) : session(to) {
      curl().multi_add_handle(session.multi, session.easy);
    }
    Added(const Added&) = delete;
    Added& operator=(const Added&) = delete;
    ~Added() { curl().multi_remove_handle(session.multi, session.easy); }
  } added(session);
  std::stop_callback wake(stop, [&] { curl().multi_wakeup(session.multi); });
  int running = 1;
  for (;;) {
    CURLMcode code = curl().multi_perform(session.multi, &running);
    if (code != CURLM_OK)
      fail(Fault::unavailable, "{}: {}", url.authority(), curl().multi_strerror(code));
    if (transfer.thrown) std::rethrow_exception(transfer.thrown);
    if (running == 0) break;
    if (stop.stop_requested()) throw Cancelled();
    if (deadline.passed())
      fail(Fault::unavailable, "{} {}: timed out", transfer.request.method, url.to_string());
    curl().multi_poll(session.multi, nullptr, 0,
                      static_cast<int>(deadline.left(std::chrono::seconds(60)).count()), nullptr);
  }
  int rest = 0;
  const CURLMsg* done = curl().multi_info_read(session.multi, &rest);
  CURLcode result = done == nullptr ? CURLE_FAILED_INIT : done->data.result;
  if (result == CURLE_OK) return;
  if (transfer.thrown) std::rethrow_exception(transfer.thrown);
  fail(Fault::unavailable, "{} {}: {}", transfer.request.method, url.to_string(),
       message[0] != '\0' ? message.data() : curl().easy_strerror(result));
}

// One request and its answer, whatever it is.
HttpResponse one(CurlSessions& sessions, const HttpRequest& request, const Url& url,
                 const std::stop_token& stop, Deadline deadline, const Exchange& exchange,
                 bool follows_redirects) {
  NoBrokenPipeSignal no_signal;
  Transfer transfer(request, exchange, follows_redirects);
  List headers;
  List connect_to;
  add_headers(headers, request, exchange);
  auto session = sessions.take();
  CURL* easy = session->easy;
  curl().easy_reset(easy);
  curl().easy_setopt(easy, CURLOPT_URL, url.to_string().c_str());
  curl().easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl().easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl().easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl().easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl().easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl().easy_setopt(easy, CURLOPT_BUFFERSIZE, 512L << 10);
  curl().easy_setopt(easy, CURLOPT_USERAGENT, sessions.options().user_agent.c_str());
  curl().easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(sessions.options().connect_timeout.count()));
  curl().easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  curl().easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  curl().easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl().easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  curl().easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  if (sessions.options().refuse_link_local) {
    curl().easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &Transfer::on_socket);
    curl().easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &transfer);
  }
  if (exchange.fresh_connection) curl().easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  sessions.set_route(easy, url, connect_to);
  set_body(easy, request, transfer);
  perform(*session, url, transfer, stop,
          deadline);  // a session whose request failed is not used again
  sessions.give_back(std::move(session));
  return std::move(transfer.response);
}

}  // namespace

HttpClient::HttpClient(HttpClientOptions options)
    : state_(new State{CurlSessions(std::move(options))}) {}

HttpClient::~HttpClient() {
  NoBrokenPipeSignal no_signal;  // closing TLS connections says goodbye
  state_.reset();
}

HttpResponse HttpClient::request(const HttpRequest& request, const std::stop_token& stop,
                                 Deadline deadline, const Exchange& exchange) {
  auto url = parse_url(request.url);
  if (!url) fail(Fault::bad_input, "'{}' is no http or https URL", request.url);
  HttpRequest current = request;
  if (!url->user_info.empty() && !current.headers.contains("Authorization")) {
    current.headers.set("Authorization", "Basic " + base64(url->user_info));
  }
  bool may_follow = request.method == "GET" || request.method == "HEAD";
  for (int left = may_follow ? exchange.redirects : 0;; --left) {
    if (exchange.file && state_->sessions.is_direct(*url)) {
      auto stream = dial(url->to_string(), stop, deadline);
      return send_with_file(*stream, current, *url, exchange, state_->sessions.options().user_agent,
                            stop, deadline);
    }
    HttpResponse response =
        one(state_->sessions, current, *url, stop, deadline, exchange, left > 0);
    if (left <= 0 || !is_redirect(response)) return response;
    auto next = resolve_url(*url, response.headers.get("Location"));
    if (!next)
      fail(Fault::unavailable, "{} leads to '{}', which is no http or https URL", url->to_string(),
           response.headers.get("Location"));
    if (next->host != url->host || next->port != url->port || next->scheme != url->scheme) {
      current.headers.remove("Authorization");
      current.headers.remove("Cookie");
    }
    current.headers.remove("Host");
    next->user_info.clear();
    url = next;
    current.url = url->to_string();
  }
}

}  // namespace slipway::net
