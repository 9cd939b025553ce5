package actors

import "github.com/seed-d8b58eba/millrace/engine"

type (
	// UpdateConfigRequest changes limits and subjects, as Store.UpdateConfig does. Reply: *UpdateConfigReply.
	UpdateConfigRequest struct {
		Config Config
		Tag    any
	}
	// UpdateConfigReply answers UpdateConfigRequest.
	UpdateConfigReply struct {
		Err error
		Tag any
	}
)

func (m *UpdateConfigRequest) fill(o *op) error {
	o.fillConfig(m.Config)
	return nil
}

func (m *UpdateConfigRequest) answer(r engine.Reply) any {
	return &UpdateConfigReply{Err: r.Err, Tag: m.Tag}
}
