package main

import (
	"fmt"
	"go/types"
	"strings"
)

// describe returns the exported interface of a package, a line for each name, field and method:
//
//	github.com/x/y/actors Store.Stop func(context.Context) error
//
// The import path and the name of the part are the first two fields of a line, and stay the same while the part is
// there at all.
func describe(p *types.Package) (lines []string) {
	add := func(name, format string, args ...any) {
		lines = append(lines, p.Path()+" "+name+" "+fmt.Sprintf(format, args...))
	}
	word := func(t types.Type) string {
		return types.TypeString(unnamed(t), func(other *types.Package) string {
			if other == p {
				return ""
			}
			return other.Path()
		})
	}
	for _, name := range p.Scope().Names() {
		object := p.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		switch object := object.(type) {
		case *types.Const:
			add(name, "const %s = %s", word(object.Type()), object.Val().ExactString())
		case *types.Var:
			add(name, "var %s", word(object.Type()))
		case *types.Func:
			add(name, "%s", word(object.Type()))
		case *types.TypeName:
			describeType(object, word, add)
		}
	}
	return lines
}

// describeType adds a type with its fields and methods.
func describeType(object *types.TypeName, word func(types.Type) string, add func(name, format string, args ...any)) {
	name := object.Name()
	if object.IsAlias() {
		add(name, "type = %s", word(types.Unalias(object.Type())))
		return
	}
	parameters := ""
	if named, ok := object.Type().(*types.Named); ok && named.TypeParams().Len() > 0 {
		parameters = strings.TrimPrefix(word(named), name)
	}
	switch under := object.Type().Underlying().(type) {
	case *types.Struct:
		add(name, "type%s struct", parameters)
		for field := range under.Fields() {
			if field.Exported() {
				add(name+"."+field.Name(), "field %s", word(field.Type()))
			}
		}
	case *types.Interface:
		closed := ""
		for method := range under.Methods() {
			if method.Exported() {
				add(name+"."+method.Name(), "%s", word(method.Type()))
			} else {
				closed = " with methods that are not exported"
			}
		}
		add(name, "type%s interface%s", parameters, closed)
		return
	default:
		add(name, "type%s %s", parameters, word(under))
	}
	values := types.NewMethodSet(object.Type())
	for method := range types.NewMethodSet(types.NewPointer(object.Type())).Methods() {
		if !method.Obj().Exported() {
			continue
		}
		of := ""
		if values.Lookup(method.Obj().Pkg(), method.Obj().Name()) == nil {
			of = "of a pointer: "
		}
		add(name+"."+method.Obj().Name(), "%s%s", of, word(method.Type()))
	}
}

// unnamed is a type without the names of parameters and results, which mean nothing to who calls.
func unnamed(t types.Type) types.Type {
	switch t := t.(type) {
	case *types.Signature:
		var parameters []*types.TypeParam
		for parameter := range t.TypeParams().TypeParams() {
			parameters = append(parameters, parameter)
		}
		if len(parameters) > 0 {
			return t // its type parameters belong to it: there can be no copy
		}
		return types.NewSignatureType(nil, nil, nil, unnamedTuple(t.Params()), unnamedTuple(t.Results()), t.Variadic())
	case *types.Pointer:
		return types.NewPointer(unnamed(t.Elem()))
	case *types.Slice:
		return types.NewSlice(unnamed(t.Elem()))
	case *types.Map:
		return types.NewMap(unnamed(t.Key()), unnamed(t.Elem()))
	case *types.Chan:
		return types.NewChan(t.Dir(), unnamed(t.Elem()))
	}
	return t
}

func unnamedTuple(tuple *types.Tuple) *types.Tuple {
	var all []*types.Var
	for v := range tuple.Variables() {
		all = append(all, types.NewParam(v.Pos(), v.Pkg(), "", unnamed(v.Type())))
	}
	return types.NewTuple(all...)
}
