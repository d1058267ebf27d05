package soap_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/soap"
)

const (
	envelope11 = "http://schemas.xmlsoap.org/soap/envelope/"
	envelope12 = "http://www.w3.org/2003/05/soap-envelope"
)

func in11(body string) string {
	return `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="` + envelope11 + `"><soap:Body>` + body + `</soap:Body></soap:Envelope>`
}

func in12(body string) string { return strings.Replace(in11(body), envelope11, envelope12, 1) }

func gbk(tb testing.TB, text string) []byte {
	tb.Helper()
	data, err := simplifiedchinese.GBK.NewEncoder().Bytes([]byte(text))
	require.NoError(tb, err)
	return data
}

const escapedInner = `&lt;?xml version="1.0" encoding="gb2312"?&gt;&lt;R&gt;&lt;Name&gt;成功&lt;/Name&gt;&lt;/R&gt;`

// results are the shapes in which one and the same result comes.
var results = map[string]string{
	"with the prefix soap": in11(`<QResponse xmlns="http://tempuri.org/"><QResult>` + escapedInner + `</QResult></QResponse>`),
	"with the prefix SOAP-ENV": `<SOAP-ENV:Envelope xmlns:SOAP-ENV="` + envelope11 + `"><SOAP-ENV:Body><ns1:QResponse xmlns:ns1="urn:x"><ns1:QResult>` +
		escapedInner + `</ns1:QResult></ns1:QResponse></SOAP-ENV:Body></SOAP-ENV:Envelope>`,
	"with no prefix":                `<Envelope xmlns="` + envelope11 + `"><Body><QResponse xmlns=""><QResult>` + escapedInner + `</QResult></QResponse></Body></Envelope>`,
	"in SOAP 1.2":                   in12(`<QResponse xmlns="http://tempuri.org/"><QResult>` + escapedInner + `</QResult></QResponse>`),
	"unqualified, as rpc":           in11(`<m:QResponse xmlns:m="urn:x"><return>` + escapedInner + `</return></m:QResponse>`),
	"as CDATA":                      in11(`<QResponse><QResult><![CDATA[<?xml version="1.0" encoding="GBK"?><R><Name>成功</Name></R>]]></QResult></QResponse>`),
	"with a header and white space": "\ufeff \n" + `<e:Envelope xmlns:e="` + envelope11 + `"><e:Header><x/></e:Header><e:Body><QResponse><QResult> ` + escapedInner + ` </QResult></QResponse></e:Body></e:Envelope>`,
}

func TestResult(t *testing.T) {
	t.Parallel()
	for name, raw := range results {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			envelope, err := soap.ParseEnvelope("text/xml; charset=utf-8", []byte(raw))
			require.NoError(t, err)
			result, err := envelope.Result("Q")
			require.NoError(t, err)
			inner, err := soap.ParseDocument(result.Text())
			require.NoError(t, err)
			require.Equal(t, "成功", inner.Find("Name").Text())
		})
	}

	nulls := map[string]string{
		"an element left out is a null":    `<QResponse xmlns="http://tempuri.org/" />`,
		"xsi:nil is a null":                `<QResponse xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><QResult xsi:nil="true"/></QResponse>`,
		"an empty string is not a null":    `<QResponse><QResult></QResult></QResponse>`,
		"a text without element is a text": `<QResponse>x</QResponse>`,
	}
	for name, body := range nulls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			envelope, err := soap.ParseEnvelope("", []byte(in11(body)))
			require.NoError(t, err)
			result, err := envelope.Result("Q")
			require.NoError(t, err)
			require.Equal(t, strings.Contains(name, " is a null"), result == nil)
		})
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	const text = `<?xml version="1.0" encoding="gb2312"?><a>成功</a>`
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes([]byte(text))
	require.NoError(t, err)
	gb18030, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte("<a>𠮷䶮</a>"))
	require.NoError(t, err)
	tests := []struct {
		name   string
		header string
		data   []byte
		want   string
	}{
		{"valid UTF-8 wins over a header that lies", "text/xml; charset=gb2312", []byte(text), text},
		{"a byte order mark wins over all", "text/xml; charset=gbk", utf16, text},
		{"GBK by the header", "text/xml; charset=gb2312", gbk(t, text), text},
		{"GBK under a header that says UTF-8, by the prolog", "text/xml; charset=utf-8", gbk(t, text), text},
		{"GBK that nobody declares", "", gbk(t, "<a>成功</a>"), "<a>成功</a>"},
		{"GB 18030 with four bytes", `text/xml; charset="GB 18030-2000"`, gb18030, "<a>𠮷䶮</a>"},
		{"a header that breaks the grammar", "text/xml; charset=GB 18030-2000; x", gb18030, "<a>𠮷䶮</a>"},
		{"bytes that are nothing", "text/xml; charset=gbk", []byte("<a>\xff\xff</a>"), ""},
		{"UTF-8 with one broken byte is not guessed at", "text/xml; charset=utf-8", []byte("<a>成功\xe6</a>"), ""},
		{"an unknown charset is not guessed at", "text/xml; charset=klingon", []byte("<a>\xb3\xc9</a>"), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := soap.Decode(test.header, test.data)
			if test.want == "" {
				require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Rejected, Code: "bad_encoding"})
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestCharsetOf(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gb2312", "GBK", "gb_2312-80", "x-gbk", "cp936", "ms936", "windows-936", "GB 18030-2000", "GB18030", "EUC-CN"} {
		require.Equal(t, soap.GB18030, soap.CharsetOf(name), name)
	}
	for _, name := range []string{"utf-8", "UNICODE UTF-8", "UTF8", "US-ASCII"} {
		require.Equal(t, soap.UTF8, soap.CharsetOf(name), name)
	}
	require.Empty(t, soap.CharsetOf("klingon"))
}

func TestFault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, raw string
		want      soap.Fault
		caller    bool
	}{
		{
			"1.1 of ASP.NET",
			in11(`<soap:Fault><faultcode>soap:Server</faultcode><faultstring>Server was unable to process request. ---&gt; ORA-12514: no listener</faultstring><detail /></soap:Fault>`),
			soap.Fault{Code: "Server", Reason: "Server was unable to process request. ---> ORA-12514: no listener"},
			false,
		},
		{
			"1.1 with a detail",
			in11(`<soap:Fault><faultcode>Client.Authentication</faultcode><faultstring>no</faultstring><detail><e><code>7</code><why>x</why></e></detail></soap:Fault>`),
			soap.Fault{Code: "Client", Subcode: "Authentication", Reason: "no", Detail: "7 x"},
			true,
		},
		{
			"1.2",
			in12(`<soap:Fault><soap:Code><soap:Value>soap:Sender</soap:Value><soap:Subcode><soap:Value>wsse:FailedAuthentication</soap:Value></soap:Subcode></soap:Code><soap:Reason><soap:Text xml:lang="en">no</soap:Text></soap:Reason></soap:Fault>`),
			soap.Fault{Code: "Sender", Subcode: "FailedAuthentication", Reason: "no"},
			true,
		},
		{
			"a mix without namespaces",
			in11(`<soap:Fault><Code><Value>SOAP-ENV:Client</Value><Subcode><Value>AuthenticationFailure</Value></Subcode></Code><Reason><Text>no</Text></Reason></soap:Fault>`),
			soap.Fault{Code: "Client", Subcode: "AuthenticationFailure", Reason: "no"},
			true,
		},
		{
			"a mix of 1.1 inside 1.2",
			in12(`<Fault xmlns=""><Code>Receiver</Code><faultstring>姓名：张三 重复</faultstring></Fault>`),
			soap.Fault{Code: "Receiver", Reason: "姓名：*** 重复"},
			false,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			envelope, err := soap.ParseEnvelope("", []byte(test.raw))
			require.NoError(t, err)
			require.Equal(t, &test.want, envelope.Fault)
			require.Equal(t, test.caller, envelope.Fault.CallersFault())
			_, err = envelope.Result("Q")
			var fault *soap.Fault
			require.ErrorAs(t, err, &fault)
		})
	}
}

const dataSet = `<QResponse xmlns="http://tempuri.org/"><QResult>
<xs:schema id="NewDataSet" xmlns="" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:msdata="urn:schemas-microsoft-com:xml-msdata">
<xs:element name="NewDataSet" msdata:IsDataSet="true"><xs:complexType><xs:choice maxOccurs="unbounded"><xs:element name="Table"/></xs:choice></xs:complexType></xs:element></xs:schema>
<diffgr:diffgram xmlns:msdata="urn:schemas-microsoft-com:xml-msdata" xmlns:diffgr="urn:schemas-microsoft-com:xml-diffgram-v1">
<diffgr:before><Table diffgr:id="Table9"><ID>9</ID></Table></diffgr:before>
<NewDataSet xmlns=""><Table diffgr:id="Table1" msdata:rowOrder="0"><ID>1</ID><NAME>内科</NAME></Table>
<Table diffgr:id="Table2" msdata:rowOrder="1"><ID>2</ID></Table></NewDataSet></diffgr:diffgram></QResult></QResponse>`

func TestRows(t *testing.T) {
	t.Parallel()
	envelope, err := soap.ParseEnvelope("", []byte(in11(dataSet)))
	require.NoError(t, err)
	result, err := envelope.Result("Q")
	require.NoError(t, err)
	rows, err := soap.Rows(result)
	require.NoError(t, err)
	require.Len(t, rows, 2, "the rows before the change are not rows")
	require.Equal(t, "Table", rows[0].Name)
	require.Equal(t, "内科", rows[0].Find("NAME").Text())
	require.Nil(t, rows[1].Find("NAME"), "a DBNull is a missing column")
	require.Empty(t, rows[1].Find("NAME").Text())

	_, err = soap.Rows(&soap.Node{})
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Rejected, Code: "not_dataset"})
}

func TestTypedArray(t *testing.T) {
	t.Parallel()
	envelope, err := soap.ParseEnvelope("", []byte(in11(`<QResponse><QResult><Dept><ID>1</ID></Dept><Dept><ID>2</ID></Dept></QResult></QResponse>`)))
	require.NoError(t, err)
	result, err := envelope.Result("Q")
	require.NoError(t, err)
	require.Len(t, result.All("Dept"), 2)
	require.Equal(t, "2", result.All("Dept")[1].Find("ID").Text())
}

func TestParseDocument(t *testing.T) {
	t.Parallel()
	texts := map[string]struct{ in, want string }{
		"a bare ampersand":                {"<a>A&B 注射液 & C</a>", "A&B 注射液 & C"},
		"a smaller-than before a number":  {"<a><0.01</a>", "<0.01"},
		"a smaller-than before a space":   {"<a>x < y</a>", "x < y"},
		"an HTML entity":                  {"<a>5&nbsp;mg &alpha;</a>", "5\u00a0mg α"},
		"an unknown entity":               {"<a>&foo; &#0; &#x41;</a>", "&foo; &#0; A"},
		"a vertical tab":                  {"<a>x\u000by</a>", "x y"},
		"an ampersand inside CDATA":       {"<a><![CDATA[A&amp;B <0.01]]></a>", "A&amp;B <0.01"},
		"text, CDATA and comment mixed":   {"<a>1<![CDATA[2]]><!-- & < -->3</a>", "123"},
		"an attribute with a greater":     {`<a b="x>y">z</a>`, "z"},
		"an ampersand before a semicolon": {"<a>Q&A;</a>", "Q&A;"},
		"a byte order mark and a prolog":  {"\ufeff\n<?xml version='1.0' encoding='gb2312' ?>\n<a>成功</a>\n", "成功"},
	}
	for name, test := range texts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node, err := soap.ParseDocument(test.in)
			require.NoError(t, err)
			require.Equal(t, test.want, node.Text())
		})
	}

	refused := map[string]struct{ in, code string }{
		"nothing":                {"", "bad_xml"},
		"a text":                 {"0|ok", "bad_xml"},
		"a tag left open":        {"<a><b></a>", "bad_xml"},
		"a truncated document":   {"<a><b>x</b>", "bad_xml"},
		"a truncated tag":        {"<a><b", "bad_xml"},
		"a truncated section":    {"<a><![CDATA[x", "bad_xml"},
		"a second root":          {"<a/><b/>", "bad_xml"},
		"text after the root":    {"<a/>x", "bad_xml"},
		"a document type":        {"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "bad_xml"},
		"a web page":             {"<!DOCTYPE HTML PUBLIC '-//W3C//DTD'><html></html>", "html_page"},
		"a web page, bare":       {"\n<html lang='zh'><body>502</body>", "html_page"},
		"65 levels":              {strings.Repeat("<a>", 65) + strings.Repeat("</a>", 65), "too_deep"},
		"200,001 elements":       {"<a>" + strings.Repeat("<b/>", 200_000) + "</a>", "too_large"},
		"65 attributes":          {"<a" + attributes(65) + "/>", "too_large"},
		"a tag of 17 kB":         {"<a" + attributes(3000) + "/>", "too_large"},
		"more than 16 MiB":       {"<a>" + strings.Repeat("x", 16<<20) + "</a>", "too_large"},
		"200,000 levels at once": {strings.Repeat("<a>", 200_000), "too_deep"},
	}
	for name, test := range refused {
		t.Run(name+" is refused", func(t *testing.T) {
			t.Parallel()
			_, err := soap.ParseDocument(test.in)
			require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Rejected, Code: test.code})
		})
	}
}

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d=""`, i)
	}
	return b.String()
}

func TestParseEnvelopeRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ raw, code string }{
		"a web page":              {"<html><body>500</body></html>", "html_page"},
		"a document without SOAP": {"<Response/>", "not_soap"},
		"a foreign envelope":      {`<Envelope xmlns="urn:x"><Body/></Envelope>`, "not_soap"},
		"no body":                 {`<Envelope xmlns="` + envelope11 + `"/>`, "not_soap"},
		"two bodies":              {`<Envelope xmlns="` + envelope11 + `"><Body/><Body/></Envelope>`, "not_soap"},
		"a truncated envelope":    {in11("<QResponse/>")[:140], "bad_xml"},
	} {
		_, err := soap.ParseEnvelope("", []byte(test.raw))
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Rejected, Code: test.code}, name)
	}
	for name, body := range map[string]string{
		"another operation": "<PResponse><PResult/></PResponse>",
		"two results":       "<QResponse><a/><b/></QResponse>",
		"an empty body":     "",
	} {
		envelope, err := soap.ParseEnvelope("", []byte(in11(body)))
		require.NoError(t, err, name)
		_, err = envelope.Result("Q")
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Rejected, Code: "not_soap"}, name)
	}
}

func FuzzParseEnvelope(f *testing.F) {
	for _, raw := range results {
		f.Add("text/xml; charset=utf-8", []byte(raw))
		f.Add("text/xml; charset=gb2312", gbk(f, strings.ReplaceAll(raw, "\ufeff", "")))
	}
	f.Add("", []byte(in11(dataSet)))
	f.Add("", []byte(in12(`<Fault><Code>x:Receiver</Code><faultstring>a ---&gt; b</faultstring></Fault>`)))
	f.Add("text/html", []byte("<html>500</html>"))
	f.Fuzz(func(t *testing.T, contentType string, data []byte) {
		envelope, err := soap.ParseEnvelope(contentType, data)
		if err != nil {
			require.Equal(t, hospital.Rejected, hospital.KindOf(err))
			return
		}
		if envelope.Fault != nil {
			require.LessOrEqual(t, len([]rune(envelope.Fault.Reason)), 201)
		}
		result, err := envelope.Result("Q")
		if err == nil && result != nil {
			_, _ = soap.Rows(result)
			_, _ = soap.ParseDocument(result.Text())
		}
	})
}

func FuzzParseDocument(f *testing.F) {
	for _, seed := range []string{
		`<?xml version="1.0" encoding="gb2312"?><R><A>成功</A></R>`, "<a>A&B <0.01 &nbsp;\u000b</a>", "<a><![CDATA[x]]></a>",
		"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "<a b='>'>&#x41;</a>", "<a xsi:nil='true'/>", "<a/><b/>", dataSet,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		root, err := soap.ParseDocument(text)
		if err != nil {
			require.Equal(t, hospital.Rejected, hospital.KindOf(err))
			return
		}
		require.NotEmpty(t, root.Name)
		require.LessOrEqual(t, depth(root), 64)
	})
}

func depth(n *soap.Node) int {
	deepest := 0
	for _, child := range n.Children {
		deepest = max(deepest, depth(child))
	}
	return deepest + 1
}

func TestANameInDeclaredGBKStaysThatName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"石", "谭", "陆", "石陆", "张石"} {
		text := `<?xml version="1.0" encoding="gbk"?><a>` + name + `</a>`
		data, err := simplifiedchinese.GBK.NewEncoder().Bytes([]byte(text))
		require.NoError(t, err)
		for _, header := range []string{"text/xml", "text/xml; charset=gb2312"} {
			decoded, err := soap.Decode(header, data)
			require.NoError(t, err)
			require.Contains(t, decoded, name)
		}
	}
	decoded, err := soap.Decode("text/xml; charset=gb2312", []byte("<a>张三 ½</a>"))
	require.NoError(t, err)
	require.Contains(t, decoded, "张三 ½", "UTF-8 under a header that lies")
}
