"""Conformance test with unmodified clients of the identity API: the official IAM SDK, temporary keys, and keystoneauth1 of OpenStack.

Environment: as for conformance.py. Exits with 0 and the last line "conformant".
"""

import os

ENDPOINT = os.environ["CLEW_ENDPOINT"]
os.environ["HUAWEICLOUD_SDK_IAM_ENDPOINT"] = ENDPOINT

from huaweicloudsdkcore.auth.credentials import BasicCredentials, GlobalCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkgaussdb.v3 import GaussDBClient, ListGaussMySqlInstancesUnifyStatusRequest
from huaweicloudsdkiam.v3 import (
    AuthScope,
    AuthScopeDomain,
    AuthScopeProject,
    CreateTemporaryAccessKeyByTokenRequest,
    CreateTemporaryAccessKeyByTokenRequestBody,
    IamClient,
    IdentityToken,
    KeystoneCreateUserTokenByPasswordRequest,
    KeystoneCreateUserTokenByPasswordRequestBody,
    KeystoneListAuthProjectsRequest,
    KeystoneListProjectsRequest,
    KeystoneValidateTokenRequest,
    PwdAuth,
    PwdIdentity,
    PwdPassword,
    PwdPasswordUser,
    PwdPasswordUserDomain,
    TokenAuth,
    TokenAuthIdentity,
)
from keystoneauth1 import exceptions, session
from keystoneauth1.identity import v3

PROJECT, REGION = os.environ["CLEW_PROJECT_ID"], os.environ["CLEW_REGION"]
KEY, SECRET = os.environ["CLEW_ACCESS_KEY"], os.environ["CLEW_SECRET_KEY"]
DOMAIN, USER, PASSWORD = (os.environ[f"CLEW_{name}"] for name in ("DOMAIN_NAME", "USER", "PASSWORD"))
INSTANCE = os.environ["CLEW_INSTANCE"]


def refused(code, http_status, call, *arguments):
    try:
        call(*arguments)
    except ClientRequestException as error:
        assert (error.error_code, error.status_code) == (code, http_status), (code, error)
        return error.error_msg
    raise AssertionError(f"{code} was expected, but nothing was refused")


def create_token(iam, scope, password=PASSWORD, user=USER):
    domain = PwdPasswordUserDomain(name=DOMAIN)
    identity = PwdIdentity(["password"], PwdPassword(PwdPasswordUser(domain, user, password)))
    body = KeystoneCreateUserTokenByPasswordRequestBody(PwdAuth(identity, scope))
    return iam.keystone_create_user_token_by_password(KeystoneCreateUserTokenByPasswordRequest(body=body))


def official_iam():
    iam = IamClient.new_builder().with_credentials(GlobalCredentials(KEY, SECRET)).with_endpoint(ENDPOINT).build()
    created = create_token(iam, AuthScope(project=AuthScopeProject(name=REGION)))
    assert created.status_code == 201 and len(created.x_subject_token) >= 36
    assert (created.token.project.id, created.token.user.name) == (PROJECT, USER), created.token
    assert [entry.type for entry in created.token.catalog], created.token
    of_domain = create_token(iam, AuthScope(domain=AuthScopeDomain(name=DOMAIN)))
    assert of_domain.token.domain.name == DOMAIN, of_domain.token
    refused("IAM.0001", 401, create_token, iam, None, "wrong")
    refused("IAM.0001", 401, create_token, iam, None, PASSWORD, "nobody")

    listed = iam.keystone_list_projects(KeystoneListProjectsRequest(name=REGION))
    assert [project.id for project in listed.projects] == [PROJECT], listed
    mine = iam.keystone_list_auth_projects(KeystoneListAuthProjectsRequest())
    assert PROJECT in [project.id for project in mine.projects], mine
    valid = iam.keystone_validate_token(KeystoneValidateTokenRequest(x_subject_token=created.x_subject_token))
    assert valid.token.project.id == PROJECT and valid.token.expires_at == created.token.expires_at, valid
    return iam, created.x_subject_token


def instances(credentials):
    sdk = GaussDBClient.new_builder().with_credentials(credentials).with_endpoint(ENDPOINT).build()
    listed = sdk.list_gauss_my_sql_instances_unify_status(ListGaussMySqlInstancesUnifyStatusRequest())
    assert INSTANCE in [instance.id for instance in listed.instances], listed


def temporary_keys(iam, token):
    identity = TokenAuthIdentity(["token"], IdentityToken(id=token, duration_seconds=900))
    body = CreateTemporaryAccessKeyByTokenRequestBody(TokenAuth(identity))
    answer = iam.create_temporary_access_key_by_token(CreateTemporaryAccessKeyByTokenRequest(body=body))
    assert answer.status_code == 201, answer
    made = answer.credential
    temporary = BasicCredentials(made.access, made.secret, PROJECT)
    refused("APIGW.0301", 401, instances, temporary)
    instances(temporary.with_security_token(made.securitytoken))
    wrong = BasicCredentials(made.access, made.secret, PROJECT).with_security_token(made.securitytoken[:-1] + "?")
    refused("APIGW.0301", 401, instances, wrong)


def keystoneauth():
    auth = v3.Password(
        auth_url=f"{ENDPOINT}/v3",
        username=USER,
        password=PASSWORD,
        user_domain_name=DOMAIN,
        project_name=REGION,
        project_domain_name=DOMAIN,
    )
    keystone = session.Session(auth=auth)
    first = keystone.get_token()
    assert auth.get_project_id(keystone) == PROJECT
    url = f"{ENDPOINT}/v3.1/{PROJECT}/instances"
    assert keystone.get(url).json()["total_count"] >= 1
    catalogue = keystone.get_endpoint(service_type="gaussdb", interface="public", region_name=REGION)
    assert catalogue == f"{ENDPOINT}/v3/{PROJECT}", catalogue
    assert keystone.head(f"{ENDPOINT}/v3/auth/tokens", headers={"X-Subject-Token": first}).status_code == 200

    revoked = keystone.delete(f"{ENDPOINT}/v3/auth/tokens", headers={"X-Subject-Token": first})
    assert revoked.status_code == 204, revoked
    assert keystone.get(url).json()["total_count"] >= 1, "keystoneauth1 must sign in again after a refused token"
    second = keystone.get_token()
    assert second != first
    try:
        keystone.get(f"{ENDPOINT}/v3/auth/tokens", headers={"X-Subject-Token": first})
    except exceptions.NotFound:
        pass
    else:
        raise AssertionError("a revoked token is still said to be valid")

    wrong = v3.Password(f"{ENDPOINT}/v3", username=USER, password="wrong", user_domain_name=DOMAIN)
    try:
        session.Session(auth=wrong).get_token()
    except exceptions.Unauthorized:
        return
    raise AssertionError("a wrong password gave a token")


def main():
    iam, token = official_iam()
    temporary_keys(iam, token)
    instances(BasicCredentials(KEY, SECRET, PROJECT))
    keystoneauth()
    print("conformant")


main()
