package wechat

// maxBody bounds a push, in bytes. The longest genuine one, a text of 2048
// bytes encrypted, stays below 8 KB.
const maxBody = 64 << 10
