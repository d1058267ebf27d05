package wechatpaytest

import (
	"net/http"
	"net/url"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

// certificateList is the answer of GET /v3/certificates.
type certificateList struct {
	Data []sealedCertificate `json:"data"`
}

type sealedCertificate struct {
	Serial    string           `json:"serial_no"`
	Effective string           `json:"effective_time"`
	Expires   string           `json:"expire_time"`
	Encrypted wechatpay.Sealed `json:"encrypt_certificate"`
}

// certificates answers GET /v3/certificates, sealed under the APIv3 key: the
// first download cannot be verified otherwise.
func (p *Platform) certificates(query url.Values) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch algorithm := query.Get("algorithm_type"); algorithm {
	case "", "RSA", "ALL":
	default:
		return nil, badParameter(parameter{Field: "algorithm_type", Value: algorithm, Issue: "want RSA or ALL", Location: "query"}, "参数错误")
	}
	if p.ring.mode == PublicKeyMode {
		return nil, refuse(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。", subParameter)
	}
	var list certificateList
	for _, key := range p.ring.keys.Platform {
		list.Data = append(list.Data, sealedCertificate{
			Serial: wechatpay.CertificateSerial(key.Certificate), Effective: stamp(key.Certificate.NotBefore), Expires: stamp(key.Certificate.NotAfter),
			Encrypted: p.cipher.Seal("certificate", []byte(certificatePEM(key.Certificate))),
		})
	}
	return list, nil
}

// stamp writes a time as WeChat Pay does.
func stamp(t time.Time) string { return t.In(hospital.CST).Format("2006-01-02T15:04:05-07:00") }
