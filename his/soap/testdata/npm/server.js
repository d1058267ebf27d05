// A HIS-like Web Service on npm soap 1.13.0, started by npm_test.go. It writes
// its port to stdout and ends when stdin closes.
'use strict';
const http = require('node:http');
const soap = require('soap');

const namespace = 'http://tempuri.org/';

function wsdl(path, style, soapNamespace) {
  const body = style === 'rpc' ? `<s:body use="literal" namespace="${namespace}"/>` : '<s:body use="literal"/>';
  const part = (name, type) => style === 'rpc'
    ? `<part name="${name === 'in' ? 'input' : 'return'}" type="xsd:string"/>`
    : `<part name="parameters" element="tns:${type}"/>`;
  return `<?xml version="1.0" encoding="utf-8"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s="${soapNamespace}" xmlns:tns="${namespace}"
    xmlns:xsd="http://www.w3.org/2001/XMLSchema" targetNamespace="${namespace}" name="His">
  <types><xsd:schema targetNamespace="${namespace}" elementFormDefault="qualified">
    <xsd:element name="Query"><xsd:complexType><xsd:sequence><xsd:element name="input" type="xsd:string"/></xsd:sequence></xsd:complexType></xsd:element>
    <xsd:element name="QueryResponse"><xsd:complexType><xsd:sequence><xsd:element name="QueryResult" type="xsd:string"/></xsd:sequence></xsd:complexType></xsd:element>
  </xsd:schema></types>
  <message name="QueryIn">${part('in', 'Query')}</message>
  <message name="QueryOut">${part('out', 'QueryResponse')}</message>
  <portType name="HisPort"><operation name="Query"><input message="tns:QueryIn"/><output message="tns:QueryOut"/></operation></portType>
  <binding name="HisBinding" type="tns:HisPort">
    <s:binding style="${style}" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="Query"><s:operation soapAction="${namespace}Query" style="${style}"/>
      <input>${body}</input><output>${body}</output></operation>
  </binding>
  <service name="His"><port name="HisPort" binding="tns:HisBinding"><s:address location="http://127.0.0.1${path}"/></port></service>
</definitions>`;
}

function answer(name) {
  return (args) => {
    const input = typeof args.input === 'object' ? args.input.$value : args.input;
    if (input === 'fault') {
      throw { Fault: { faultcode: 'soap:Server', faultstring: 'ORA-12514 for 王金丝雀', statusCode: 500 } };
    }
    if (input === 'fault12') {
      throw { Fault: { Code: { Value: 'soap:Sender' }, Reason: { Text: 'no such function' }, statusCode: 400 } };
    }
    const text = `<?xml version="1.0" encoding="gb2312"?><Response><Echo>${input.replace(/&/g, '&amp;').replace(/</g, '&lt;')}</Echo></Response>`;
    return { [name]: text };
  };
}

const server = http.createServer((_, response) => { response.statusCode = 404; response.end(); });
server.listen(0, '127.0.0.1', () => {
  const serve = (path, style, soapNamespace, options) => soap.listen(server, {
    path,
    services: { His: { HisPort: { Query: answer(style === 'rpc' ? 'return' : 'QueryResult') } } },
    xml: wsdl(path, style, soapNamespace),
    ...options,
  });
  const soap11 = 'http://schemas.xmlsoap.org/wsdl/soap/';
  serve('/doc11', 'document', soap11);
  serve('/doc12', 'document', 'http://schemas.xmlsoap.org/wsdl/soap12/', { forceSoap12Headers: true });
  serve('/rpc', 'rpc', soap11);
  const secure = serve('/secure', 'document', soap11);
  secure.authenticate = (security) => {
    const token = security && security.UsernameToken;
    const password = token && (token.Password.$value || token.Password);
    return Boolean(token) && token.Username === 'his' && password === 'TESTING KEY';
  };
  process.stdout.write(`${server.address().port}\n`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
