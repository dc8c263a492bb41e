// SPDX-License-Identifier: Apache-2.0
#include "formats/xml.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace slipway;
using namespace slipway::formats;

namespace {

std::string xml_refusal(std::string_view text) {
  try {
    parse_xml(text, "f.xml");
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("XML is written and read back") {
  XmlWriter writer(true);
  writer.open("Response", {{"xmlns", "https://sts.amazonaws.com/"}})
      .open("Result")
      .element("Arn", "a<b>&'\"\x01");
  writer.element("Empty", "").close().open("Meta").text("id\r").close().close();
  XmlNode root = parse_xml(writer.str());
  CHECK(root.name == "Response");
  CHECK(root.attributes.at(0).second == "https://sts.amazonaws.com/");
  REQUIRE(root.find("Result") != nullptr);
  CHECK(root.find("Result")->text_of("Arn") == "a<b>&'\"\uFFFD");
  CHECK(root.find("Result")->text_of("Empty").empty());
  CHECK(root.text_of("Meta") == "id\r");
  CHECK(root.find("None") == nullptr);
}

TEST_CASE("prefixes, CDATA, comments and white space between elements") {
  XmlNode root = parse_xml(
      "<?xml version='1.0'?>\n<s:E xmlns:s='x'>\n  <!-- c -->\n  <s:A> 1 </s:A>\n  "
      "<B><![CDATA[<&>]]></B>\n</s:E>\n");
  CHECK(root.name == "E");
  CHECK(root.text.empty());
  CHECK(root.text_of("A") == " 1 ");
  CHECK(root.text_of("B") == "<&>");
}

TEST_CASE("broken XML and DOCTYPEs are refused") {
  CHECK(xml_refusal("<a>\n<b></a>").starts_with("f.xml:2:"));
  CHECK(xml_refusal("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>").find("DOCTYPE") !=
        std::string::npos);
  CHECK(xml_refusal("") != "accepted");
  CHECK(xml_refusal("<a/><b/>") != "accepted");
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "<a>";
  for (int i = 0; i < 200; ++i) deep += "</a>";
  CHECK(xml_refusal(deep).find("too deep") != std::string::npos);
}
